"""Boots an AMI in the lab and prints files of it: `look.py AMI DIRECTORY FILE…`. DIRECTORY takes a key pair."""

import subprocess
import sys
import time

import boto3
from botocore.exceptions import ClientError


def main(ami: str, directory: str, files: list[str]) -> None:
    key = f"{directory}/key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    with open(f"{key}.pub", encoding="utf-8") as public:
        user_data = f"#cloud-config\nusers: [{{name: look, ssh_authorized_keys: ['{public.read().strip()}']}}]\n"
    ec2 = boto3.client("ec2")
    try:
        ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
        ec2.authorize_security_group_ingress(GroupName="default", **ssh)
    except ClientError as error:
        # An earlier look has.
        if error.response["Error"]["Code"] != "InvalidPermission.Duplicate":
            raise
    launched = ec2.run_instances(ImageId=ami, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=user_data)
    instance = launched["Instances"][0]
    try:
        options = ["-F", "none", "-i", key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                   "-o", "BatchMode=yes", "-o", "ConnectTimeout=2", "-o", "LogLevel=ERROR"]  # fmt: skip
        ssh = ["ssh", *options, f"look@{instance['PrivateIpAddress']}"]
        limit = time.monotonic() + 120
        while subprocess.run([*ssh, "true"], capture_output=True).returncode != 0:
            if time.monotonic() > limit:
                sys.exit(f"{ami} does not boot")
            time.sleep(0.2)
        sys.stdout.flush()
        subprocess.run([*ssh, "cat", *files], check=True)
    finally:
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
