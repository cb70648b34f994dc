"""Snapshots are the content of a moment, of a running machine too, and stand on each other."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import stat
import threading
import unittest

from kiln_lab.errors import LabError
from kiln_lab.journal import LOCK, is_live
from kiln_lab.machines import Machine
from kiln_lab.volumes import Volumes

from .case import LabCase, state_folder


class Alone(unittest.TestCase):
    """Volumes without machines."""

    def setUp(self) -> None:
        self.state = state_folder()
        self.addCleanup(shutil.rmtree, self.state.parent)
        self.volumes = Volumes(self.state)
        self.addCleanup(self.volumes.close)
        base = self.state.parent / "base"
        (base / "folder").mkdir(parents=True)
        (base / "folder/file").write_text("base")
        (base / "other").write_text("base")
        self.volumes.register_base("snap-base", base)

    def layers(self) -> int:
        return len(os.listdir(self.state / "layers"))

    def test_what_is_discarded_leaves_its_name_to_the_next_and_its_lock_to_nobody(self) -> None:
        state = self.state.parent / "discarded"
        volumes = Volumes(state)
        lock = (state / LOCK).open()
        self.addCleanup(lock.close)
        volumes.discard()
        self.assertEqual([path.name for path in self.state.parent.iterdir() if "discarded" in path.name], [])
        with self.assertRaises(BlockingIOError):
            # Who waits for it waits for the end of the process.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        other = Volumes(state)
        self.addCleanup(other.close)
        self.assertTrue(is_live(state))

    def test_snapshots_stand_on_each_other_and_go_when_nothing_needs_them(self) -> None:
        below = "snap-base"
        for depth in range(6):
            self.volumes.create(f"vol-{depth}", below)
            root = self.volumes.mount(f"vol-{depth}")
            with open(root / "folder/file", "a") as file:
                file.write(f" {depth}")
            (root / f"of-{depth}").write_text("")
            if depth:
                (root / f"of-{depth - 1}").unlink()
            self.volumes.unmount(f"vol-{depth}")
            below = f"snap-{depth}"
            self.volumes.snapshot(below, f"vol-{depth}")
            self.volumes.delete_volume(f"vol-{depth}")
        for depth in range(5):
            self.volumes.delete_snapshot(f"snap-{depth}")
        self.volumes.create("vol-last", below)
        root = self.volumes.mount("vol-last")
        self.assertEqual((root / "folder/file").read_text(), "base 0 1 2 3 4 5")
        self.assertEqual(sorted(os.listdir(root)), ["folder", "of-5", "other"])
        self.assertEqual(self.layers(), 7)
        self.volumes.delete_snapshot(below)
        self.assertEqual((root / "of-5").read_text(), "")
        self.volumes.delete_volume("vol-last")
        self.assertEqual(self.layers(), 1)
        self.assertEqual((self.state.parent / "base/folder/file").read_text(), "base")

    def test_volume_without_snapshot_is_empty(self) -> None:
        self.volumes.create("vol-empty", None)
        self.assertEqual(os.listdir(self.volumes.mount("vol-empty")), [])

    def test_removed_folder_made_again_does_not_show_what_was_in_it(self) -> None:
        self.volumes.create("vol-a", "snap-base")
        root = self.volumes.mount("vol-a")
        shutil.rmtree(root / "folder")
        (root / "folder").mkdir()
        (root / "folder").rename(root / "moved")
        (root / "other").rename(root / "moved/other")
        self.volumes.snapshot("snap-a", "vol-a")
        self.volumes.create("vol-b", "snap-a")
        root = self.volumes.mount("vol-b")
        self.assertEqual(os.listdir(root), ["moved"])
        self.assertEqual((root / "moved/other").read_text(), "base")

    def test_renamed_folder_keeps_what_the_base_has_in_it(self) -> None:
        self.volumes.create("vol-a", "snap-base")
        root = self.volumes.mount("vol-a")
        os.rename(root / "folder", root / "renamed")
        self.volumes.snapshot("snap-a", "vol-a")
        self.volumes.create("vol-b", "snap-a")
        root = self.volumes.mount("vol-b")
        self.assertEqual(sorted(os.listdir(root)), ["other", "renamed"])
        self.assertEqual((root / "renamed/file").read_text(), "base")

    def test_what_is_not_there_is_refused(self) -> None:
        for attempt in (
            lambda: self.volumes.create("vol-a", "snap-missing"),
            lambda: self.volumes.snapshot("snap-a", "vol-missing"),
            lambda: self.volumes.mount("vol-missing"),
            lambda: self.volumes.delete_volume("vol-missing"),
            lambda: self.volumes.delete_snapshot("snap-missing"),
            lambda: Volumes(self.state),
        ):
            with self.assertRaises(LabError):
                attempt()


class OfMachines(LabCase):
    def test_snapshot_of_a_running_machine_is_what_it_held_at_that_moment(self) -> None:
        machine = self.booted(self.launch())
        capability = "0100000200200000000000000000000000000000"
        self.root(
            machine,
            f"""
            cd /root
            cp /bin/true capable
            python3 -c 'import os; os.setxattr("capable", "security.capability", bytes.fromhex("{capability}"))'
            truncate -s 2G sparse
            echo one > first; ln first second
            mknod null c 1 3; mkfifo fifo
            rm -r /usr/share/bash-completion; mkdir /usr/share/bash-completion; touch /usr/share/bash-completion/own
            rm /usr/bin/wget
            echo before > moment
            """,
        )
        self.volumes.snapshot("snap-moment", machine.root_volume_id)
        self.ssh(machine, "echo after | sudo tee /root/moment /root/later")
        following = self.booted(self.launch("snap-moment"))
        seen = self.root(
            following,
            """
            cd /root
            cat moment; ls
            stat -c '%s %b' sparse
            stat -c %h first
            stat -c %F null fifo
            ls /usr/share/bash-completion
            ls /usr/bin/wget 2>&1 || true
            python3 -c 'import os; print(os.getxattr("capable", "security.capability").hex())'
            """,
        )
        expected = [
            "before",
            *("capable", "fifo", "first", "moment", "null", "second", "sparse"),
            "2147483648 0",
            "2",
            "character special file",
            "fifo",
            "own",
            "ls: cannot access '/usr/bin/wget': No such file or directory",
            capability,
        ]
        self.assertEqual(seen.splitlines(), expected)

    def root(self, machine: Machine, script: str) -> str:
        """Runs a script as root, up to its first failure."""
        return self.ssh(machine, f"sudo sh -ec {shlex.quote(script)}")

    def test_snapshots_while_a_machine_writes_hold_one_moment_each(self) -> None:
        machine = self.booted(self.launch())
        # Each round writes the count to many files in one order: at any moment they differ by one at most.
        self.ssh(
            machine,
            "sudo systemd-run --unit=writer sh -c 'mkdir /root/many; n=0; while :; do n=$((n+1));"
            " for f in $(seq 200); do echo $n > /root/many/$f; done; done'",
        )
        another = "cd /root/many; before=$(cat 200); until [ -s 200 ] && [ $(cat 200) != $before ]; do :; done"
        for number in range(5):
            self.ssh(machine, f"sudo sh -c 'until [ -s /root/many/200 ]; do :; done; {another}'")
            self.volumes.snapshot(f"snap-writes-{number}", machine.root_volume_id)
        self.assertEqual(self.ssh(machine, "systemctl is-active writer").strip(), "active")
        rounds = []
        for number in range(5):
            self.volumes.create(f"vol-writes-{number}", f"snap-writes-{number}")
            root = self.volumes.mount(f"vol-writes-{number}")
            texts = [(root / f"root/many/{file}").read_text() for file in range(1, 201)]
            counts = [int(text) for text in texts if text]
            self.volumes.delete_volume(f"vol-writes-{number}")
            self.assertLessEqual(max(counts) - min(counts), 1)
            self.assertLessEqual(len(texts) - len(counts), 1, "one file at most is open, and empty, at a moment")
            self.assertEqual(counts, sorted(counts, reverse=True))
            rounds.append(max(counts))
        self.assertEqual(rounds, sorted(set(rounds)))

    def test_machines_launch_from_snapshots_several_deep(self) -> None:
        below = "snap-base"
        for depth in range(4):
            machine = self.booted(self.launch(below))
            self.ssh(machine, f"echo {depth} | sudo tee -a /root/depth")
            below = f"snap-deep-{depth}"
            self.volumes.snapshot(below, machine.root_volume_id)
            self.forget(machine)
        machine = self.booted(self.launch(below))
        self.assertEqual(self.ssh(machine, "sudo cat /root/depth"), "0\n1\n2\n3\n")

    def test_volume_of_a_running_machine_is_not_given_away(self) -> None:
        machine = self.launch()
        for attempt in (self.volumes.mount, self.volumes.delete_volume):
            with self.assertRaises(LabError):
                attempt(machine.root_volume_id)
        with self.assertRaises(LabError):
            self.machines.start(machine)

    def test_volumes_are_copied_side_by_side(self) -> None:
        machine = self.booted(self.launch())
        threads = [
            threading.Thread(target=self.volumes.snapshot, args=(f"snap-side-{number}", machine.root_volume_id))
            for number in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(4):
            self.volumes.create(f"vol-side-{number}", f"snap-side-{number}")
            root = self.volumes.mount(f"vol-side-{number}")
            self.assertTrue(stat.S_ISREG((root / "var/lib/cloud/data/instance-id").stat().st_mode))
            self.volumes.delete_volume(f"vol-side-{number}")


if __name__ == "__main__":
    unittest.main()
