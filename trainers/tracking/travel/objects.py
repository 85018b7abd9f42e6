"""The artifact store as objects: whole ones are put, got, listed and deleted, and nothing else.

MLflow's client copies files; a record that grows needs a put that replaces an object at once, which
a folder has by renaming, and S3 by itself.
"""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from streaming.program.whole_file import write_whole
from trainers.tracking.stores.artifacts import ENDPOINT, EXTRA, artifact_store, is_local
from trainers.tracking.stores.client import StoreError

S3 = "s3"
CONNECTIONS = 32  # kept open: a takeover asks for parts of several markets at once


class Objects(Protocol):
    """Objects by key, words with slashes between them. Errors of S3 are ``ArtifactStoreError``."""

    def put(self, key: str, data: bytes) -> None:
        """Write an object; who reads meanwhile gets the old one or the new one."""

    def get(self, key: str) -> bytes | None:
        """Return an object's bytes; None if there is none."""

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the bytes of all objects under ``prefix/``, by the rest of their keys."""

    def delete(self, key: str) -> None:
        """Delete an object; there may be none."""


class FolderObjects:
    """Objects in a folder of this machine, or of one that all machines see.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> None:
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)

    def get(self, key: str) -> bytes | None:
        try:
            return (self._folder / key).read_bytes()
        except FileNotFoundError:
            return None

    def sizes(self, prefix: str) -> dict[str, int]:
        there = self._folder / prefix
        found = {}
        for path in there.rglob("*") if there.exists() else ():
            with contextlib.suppress(FileNotFoundError):  # it was replaced or deleted just now
                if path.is_file() and path.suffix != ".unfinished":
                    found[path.relative_to(there).as_posix()] = path.stat().st_size
        return found

    def delete(self, key: str) -> None:
        (self._folder / key).unlink(missing_ok=True)


class S3Objects:
    """Objects in a bucket.

    Args:
        bucket: the bucket.
        folder: what all keys begin with, without a slash at the end.
    """

    def __init__(self, bucket: str, folder: str) -> None:
        self._bucket, self._folder = bucket, folder
        self._s3 = _client(os.environ.get(ENDPOINT))

    def put(self, key: str, data: bytes) -> None:
        with artifact_store():
            self._s3.put_object(Bucket=self._bucket, Key=self._key(key), Body=data)

    def get(self, key: str) -> bytes | None:
        with artifact_store():
            try:
                found = self._s3.get_object(Bucket=self._bucket, Key=self._key(key))
            except self._s3.exceptions.NoSuchKey:
                return None
            data: bytes = found["Body"].read()
            return data

    def sizes(self, prefix: str) -> dict[str, int]:
        there = f"{self._key(prefix)}/"
        with artifact_store():
            pages = self._s3.get_paginator("list_objects_v2")
            return {
                entry["Key"].removeprefix(there): int(entry["Size"])
                for page in pages.paginate(Bucket=self._bucket, Prefix=there)
                for entry in page.get("Contents", ())
            }

    def delete(self, key: str) -> None:
        with artifact_store():
            self._s3.delete_object(Bucket=self._bucket, Key=self._key(key))

    def _key(self, key: str) -> str:
        return f"{self._folder}/{key}" if self._folder else key


@functools.cache
def _client(endpoint: str | None) -> Any:
    """Return boto3's client, made once: that takes 100 ms. It may be shared by threads."""
    import boto3  # noqa: PLC0415  (of the extra `cloud`)
    from botocore.config import Config  # noqa: PLC0415  (likewise)

    kept = Config(max_pool_connections=CONNECTIONS)
    return boto3.client(S3, endpoint_url=endpoint or None, config=kept)


def objects_at(address: str) -> Objects:
    """Return the objects under an artifact address.

    Raises:
        StoreError: if it is neither a folder nor S3.
    """
    if is_local(address):
        path = urlsplit(address).path if address.startswith("file:") else address
        return FolderObjects(Path(url2pathname(path)))
    parts = urlsplit(address)
    if parts.scheme != S3:
        raise StoreError(
            f"the artifacts of this store are at {address}; records travel to s3://BUCKET/FOLDER or"
            f" to a folder that all machines see: make the store with one of them ({EXTRA})"
        )
    return S3Objects(parts.netloc, parts.path.strip("/"))
