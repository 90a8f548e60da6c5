"""The clients, `MetaStudio` and `AsyncMetaStudio`: they validate the configuration and hold the resources."""

from typing import Any, Final, Generic, Self, TypeVar

import httpx

from huaweicloud_auth import Secret
from huaweicloud_auth.credentials import CredentialsSource
from huaweicloud_auth.flow import wait_for_async
from huaweicloud_auth.proxies import environment_proxy
from metastudio_client import Client

from . import deadline, validation
from ._version import __version__
from .async_short_jobs import AsyncShortJobs
from .asyncio_transport import AsyncioTransport
from .bounded import AsyncBounded, Bounded
from .calls import AsyncCaller, Caller
from .configuration import Region, find, wrong_identity
from .connecting import Proxy, Verify, check_proxy, checked_timeout, checked_verify, context
from .errors import ConfigurationError
from .http_clients import AsyncClient, SyncClient
from .pace import paces
from .short_jobs import ShortJobs
from .upload import AsyncUploader, Uploader

# A response of about a kilobyte is not worth compressing.
_HEADERS: Final = {"User-Agent": f"metastudio/{__version__}", "Accept-Encoding": "identity"}
TransportT = TypeVar("TransportT", httpx.BaseTransport, httpx.AsyncBaseTransport)


class _Studio(Generic[TransportT]):
    """The base of both clients, which validates the configuration."""

    client: Client
    endpoint: str
    app_user_id: str | None
    _kind_of_transport: type[Any]

    def __init__(
        self,
        *,
        region: Region | str | None = None,
        endpoint: str | None = None,
        project_id: str | None = None,
        credentials: CredentialsSource | str | None = None,
        auth: httpx.Auth | None = None,
        app_user_id: str | None = None,
        timeout: float | httpx.Timeout = 30.0,
        max_retries: int = 2,
        total_timeout: float = 120.0,
        quota_share: float = 1.0,
        verify: Verify = True,
        proxy: Proxy = None,
        transport: TransportT | None = None,
    ) -> None:
        """Validate the configuration.

        Args:
            region: The service's region, such as `cn-north-4`. Defaults to `METASTUDIO_REGION`, or the profile file.
            endpoint: `https://host[:port]` (http for loopback) instead of a region. Defaults to `METASTUDIO_ENDPOINT`.
            project_id: The project ID in that region. Defaults to `HUAWEICLOUD_SDK_PROJECT_ID`, or the profile file.
                Otherwise it is looked up in IAM before the first call, if a region and a key pair are given.
            credentials: A key pair, a callable that returns one, or `ecs-agency`, `hcloud` or `hcloud:PROFILE`.
                Defaults to `METASTUDIO_CREDENTIALS`, `HUAWEICLOUD_SDK_AK` and `_SK`, `HW_ACCESS_KEY` and
                `HW_SECRET_KEY`, or the profile file.
            auth: An `AkSkAuth`, `TokenAuth`, `IamTokenAuth` or any `httpx.Auth`, instead of `credentials`. Defaults to
                `METASTUDIO_AUTH_TOKEN`.
            app_user_id: The ID of your own user, sent as `X-App-UserId` with every call.
            timeout: Seconds for each phase of an attempt (connect, write, read), or an `httpx.Timeout`.
            max_retries: How many attempts may follow the first one of a call.
            total_timeout: Seconds for a call with its retries.
            quota_share: The share of the account's quotas that this client may use, if several processes share them.
            verify: As in httpx. Pass an `ssl.SSLContext` for a CA file or a client certificate.
            proxy: As in httpx.
            transport: As in httpx. It handles TLS and proxies itself.

        Raises:
            ConfigurationError: An argument is missing or malformed.
        """
        if isinstance(credentials, str):
            credentials = Secret(credentials)  # a name, or by mistake the key itself, which tracebacks with locals show
        if isinstance(proxy, str):
            proxy = Secret(proxy)
        if wrong := wrong_identity(credentials, auth):
            credentials = auth = None  # not shown in a traceback with locals
            raise ConfigurationError(wrong)
        found = find(region, endpoint, project_id, credentials, auth, checked_verify(verify), proxy)
        self.endpoint = base_url = found.endpoint
        self._auth, self._project = found.auth, found.project_id
        if proxy is not None and transport is not None:
            raise ConfigurationError("pass proxy or transport, not both: the transport handles proxies itself")
        self.app_user_id = None if app_user_id is None else validation.header_value("app_user_id", app_user_id)
        retries = validation.count("max_retries", max_retries)
        self._limits = retries, validation.number("total_timeout", total_timeout)
        self._timeout = checked_timeout(timeout)
        self._paces = paces(base_url, validation.share("quota_share", quota_share))
        self.client = Client(base_url)
        proxy = proxy or environment_proxy(httpx.URL(base_url))
        check_proxy(proxy)
        if transport is not None and not isinstance(transport, self._kind_of_transport):
            raise ConfigurationError(f"transport must be a {self._kind_of_transport.__name__}, not {type(transport)}")
        verify = checked_verify(verify) if transport else context(verify)
        self._connect(base_url, verify, proxy, transport)

    @property
    def project_id(self) -> str:
        """The project ID.

        Raises:
            ConfigurationError: It is not looked up yet. `find_project_id` does that, and so does the first call.
        """
        project = self._project if isinstance(self._project, str) else self._project.known()
        if project is None:
            raise ConfigurationError("the project ID is not known yet: call find_project_id first")
        return project

    def _connect(self, base_url: str, verify: Verify, proxy: Proxy, transport: TransportT | None) -> None:
        try:
            self._open(base_url, verify, proxy, transport)
        except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
            reason = f": {error}" if isinstance(error, ImportError | OSError) else ""
            failure = ConfigurationError(f"the proxy or the transport cannot be used: {type(error).__name__}{reason}")
        else:
            return
        raise failure  # outside the except block: httpx's traceback holds the URL, which may contain a password

    def _open(self, base_url: str, verify: Verify, proxy: Proxy, transport: TransportT | None) -> None:
        raise NotImplementedError


class MetaStudio(_Studio[httpx.BaseTransport]):
    """The sync client. Use it in a `with` block, or call `close`."""

    short_jobs: ShortJobs
    _kind_of_transport = httpx.BaseTransport

    def _open(self, base_url: str, verify: Verify, proxy: Proxy, transport: httpx.BaseTransport | None) -> None:
        def given() -> httpx.BaseTransport:
            return transport or deadline.transport(verify, proxy)

        self._http = SyncClient(
            base_url=base_url, auth=self._auth, headers=_HEADERS, timeout=self._timeout, transport=Bounded(given)
        )
        self.client.set_httpx_client(self._http)
        self._uploader = Uploader(verify, proxy, self._limits[0])
        caller = Caller(*self._limits, project=self._project, http=self._http)
        self.short_jobs = ShortJobs(caller, self._uploader, self.app_user_id, self._paces)

    def find_project_id(self) -> str:
        """Return the project ID; look it up if it is not known yet.

        Raises:
            ConfigurationError: The account has no project in the region, or several.
            CredentialsError: IAM rejected the key, or did not respond.
        """
        return self._project if isinstance(self._project, str) else self._project()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._uploader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncMetaStudio(_Studio[httpx.AsyncBaseTransport]):
    """The async client, for asyncio. Use it in an `async with` block, or call `aclose`."""

    short_jobs: AsyncShortJobs
    _kind_of_transport = httpx.AsyncBaseTransport

    def _open(self, base_url: str, verify: Verify, proxy: Proxy, transport: httpx.AsyncBaseTransport | None) -> None:
        bounded = AsyncBounded(transport or AsyncioTransport(verify, proxy))
        self._http = AsyncClient(
            base_url=base_url, auth=self._auth, headers=_HEADERS, timeout=self._timeout, transport=bounded
        )
        self.client.set_async_httpx_client(self._http)
        self._uploader = AsyncUploader(verify, proxy, self._limits[0])
        caller = AsyncCaller(*self._limits, project=self._project, http=self._http)
        self.short_jobs = AsyncShortJobs(caller, self._uploader, self.app_user_id, self._paces)

    async def find_project_id(self) -> str:
        """Return the project ID; see `MetaStudio.find_project_id`."""
        return self._project if isinstance(self._project, str) else await wait_for_async(self._project.steps())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        await self._uploader.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
