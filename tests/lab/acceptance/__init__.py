"""The lab as other people's tools see it: the AWS CLI and Packer, unchanged. Everything here is real, and needs root.

    VENV/bin/python -m unittest discover -s tests/lab/acceptance -t tests/lab

`KILN_LAB_AWS` names the `aws` program if it is not on the path, `KILN_LAB_CACHE` the cache of Debian roots.
"""
