"""What the lab's machines, volumes and network are held to. Needs root; everything in it is real."""
