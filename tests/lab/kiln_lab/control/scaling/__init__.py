"""Auto Scaling: groups that start, replace and end the lab's instances.

Requests say what is wanted; `keeping` brings it about. Reading order: `activity`, `member`, `launching`, `group`, `keeping`,
`backend`, `responses`.
"""
