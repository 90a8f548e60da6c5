# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...models.create_short_job_request import CreateShortJobRequest
from ...models.created_short_job import CreatedShortJob
from ...models.error_response import ErrorResponse
from ...types import UNSET, Response, Unset


def _get_kwargs(
    project_id: str,
    *,
    body: CreateShortJobRequest,
    x_app_user_id: str | None = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(x_app_user_id, Unset):
        headers["X-App-UserId"] = x_app_user_id

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/{project_id}/voice-training-manage/user/short-jobs".format(
            project_id=quote(str(project_id), safe=""),
        ),
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> CreatedShortJob | ErrorResponse:
    if response.status_code == 200:
        response_200 = CreatedShortJob.from_dict(response.json())

        return response_200

    if response.status_code == 400:
        response_400 = ErrorResponse.from_dict(response.json())

        return response_400

    response_default = ErrorResponse.from_dict(response.json())

    return response_default


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[CreatedShortJob | ErrorResponse]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    body: CreateShortJobRequest,
    x_app_user_id: str | None = UNSET,
) -> Response[CreatedShortJob | ErrorResponse]:
    """Creating a Short Task

     Creates a short task and returns the URL to which its recording is uploaded, packed as a zip, with
    Content-Type application/zip. That the upload is a PUT is inferred, and so is that a task does not
    run until it is committed.

    Args:
        project_id (str):
        x_app_user_id (str | None):
        body (CreateShortJobRequest): The short task to create.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[CreatedShortJob | ErrorResponse]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        body=body,
        x_app_user_id=x_app_user_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    body: CreateShortJobRequest,
    x_app_user_id: str | None = UNSET,
) -> CreatedShortJob | ErrorResponse | None:
    """Creating a Short Task

     Creates a short task and returns the URL to which its recording is uploaded, packed as a zip, with
    Content-Type application/zip. That the upload is a PUT is inferred, and so is that a task does not
    run until it is committed.

    Args:
        project_id (str):
        x_app_user_id (str | None):
        body (CreateShortJobRequest): The short task to create.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        CreatedShortJob | ErrorResponse
    """

    return sync_detailed(
        project_id=project_id,
        client=client,
        body=body,
        x_app_user_id=x_app_user_id,
    ).parsed


async def asyncio_detailed(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    body: CreateShortJobRequest,
    x_app_user_id: str | None = UNSET,
) -> Response[CreatedShortJob | ErrorResponse]:
    """Creating a Short Task

     Creates a short task and returns the URL to which its recording is uploaded, packed as a zip, with
    Content-Type application/zip. That the upload is a PUT is inferred, and so is that a task does not
    run until it is committed.

    Args:
        project_id (str):
        x_app_user_id (str | None):
        body (CreateShortJobRequest): The short task to create.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[CreatedShortJob | ErrorResponse]
    """

    kwargs = _get_kwargs(
        project_id=project_id,
        body=body,
        x_app_user_id=x_app_user_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    project_id: str,
    *,
    client: AuthenticatedClient | Client,
    body: CreateShortJobRequest,
    x_app_user_id: str | None = UNSET,
) -> CreatedShortJob | ErrorResponse | None:
    """Creating a Short Task

     Creates a short task and returns the URL to which its recording is uploaded, packed as a zip, with
    Content-Type application/zip. That the upload is a PUT is inferred, and so is that a task does not
    run until it is committed.

    Args:
        project_id (str):
        x_app_user_id (str | None):
        body (CreateShortJobRequest): The short task to create.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        CreatedShortJob | ErrorResponse
    """

    return (
        await asyncio_detailed(
            project_id=project_id,
            client=client,
            body=body,
            x_app_user_id=x_app_user_id,
        )
    ).parsed
