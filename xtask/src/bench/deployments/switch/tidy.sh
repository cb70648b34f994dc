# Removes the servers that served before.
aws autoscaling delete-auto-scaling-group --auto-scaling-group-name "$1" --force-delete
