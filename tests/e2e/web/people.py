"""A user pool of Amazon Cognito, played by moto over HTTP: the extension talks to it as to the real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"


@dataclass(frozen=True)
class UserPool:
    """Where people sign in.

    Attributes:
        endpoint: address of the API.
        client_id: of an app client without a secret.
        pool_id: for `admin`.
        admin: boto3 client that may do everything.
    """

    endpoint: str
    client_id: str
    pool_id: str
    admin: Any

    @property
    def place(self) -> dict[str, str]:
        """What a service's health tells of it."""
        return {"endpoint": self.endpoint, "client_id": self.client_id}

    def add(self, email: str, password: str) -> None:
        """Make an account that can be used at once."""
        self.admin.sign_up(ClientId=self.client_id, Username=email, Password=password)
        self.admin.admin_confirm_sign_up(UserPoolId=self.pool_id, Username=email)


@contextmanager
def running_pool() -> Iterator[UserPool]:
    """Run a server with one pool, in which the e-mail address is the name."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}/"
        credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        admin: Any = boto3.client("cognito-idp", endpoint_url=endpoint, region_name=REGION, **credentials)
        pool = admin.create_user_pool(PoolName="unmask", UsernameAttributes=["email"], AutoVerifiedAttributes=["email"])
        pool_id = pool["UserPool"]["Id"]
        client = admin.create_user_pool_client(
            UserPoolId=pool_id,
            ClientName="extension",
            ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        )
        yield UserPool(endpoint, client["UserPoolClient"]["ClientId"], pool_id, admin)
    finally:
        server.stop()
