"""A mock of S3 on loopback, in this process: moto's server, with a bucket for each test."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import fsspec
import requests
import s3fs
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
_numbers = count(1)


class S3Server:
    """Moto's server. Its keys are no secret, and it looks at no rights outside of `checked_rights`."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.url = "http://{}:{}".format(*self._server.get_host_and_port())

    def environment(self, cache: Path) -> dict[str, str]:
        """Return the variables that lead a command here, to its copies in the folder `cache`."""
        s3fs.S3FileSystem.clear_instance_cache()  # those of this process have other variables
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing-secret",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "XDG_CACHE_HOME": str(cache),
        }

    def client(self, service: str = "s3") -> Any:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing-secret"}
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **keys)

    def bucket(self) -> str:
        """Make a bucket and return its name."""
        name = f"bucket-{next(_numbers)}"
        self.client().create_bucket(Bucket=name)
        return name

    def objects(self, url: str) -> dict[str, bytes]:
        """Return the objects below a URL by their keys relative to it."""
        files, root = self.files(), url.removeprefix("s3://")
        return {key.removeprefix(f"{root}/"): files.cat_file(key) for key in files.find(root)}

    def count(self, url: str) -> int:
        """Return how many objects are below a URL."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        return int(self.client().list_objects_v2(Bucket=bucket, Prefix=prefix)["KeyCount"])

    def files(self) -> Any:
        """Return the file system that other programs read the objects with."""
        return fsspec.filesystem("s3", **self.options, skip_instance_cache=True, use_listings_cache=False)

    @property
    def options(self) -> dict[str, Any]:
        """What other programs call storage options."""
        return {"endpoint_url": self.url, "key": "testing", "secret": "testing-secret"}

    @contextmanager
    def checked_rights(self, actions: list[str]) -> Iterator[dict[str, str]]:
        """Check rights inside of the block; give the variables with the keys of a user who has these `actions`."""
        users = self.client("iam")
        name = f"user-{next(_numbers)}"
        users.create_user(UserName=name)
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        users.put_user_policy(UserName=name, PolicyName="some", PolicyDocument=document)
        key = users.create_access_key(UserName=name)["AccessKey"]
        requests.post(f"{self.url}/moto-api/reset-auth", data="0", timeout=10)
        try:
            yield {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        finally:
            requests.post(f"{self.url}/moto-api/reset-auth", data="inf", timeout=10)

    def stop(self) -> None:
        self._server.stop()
