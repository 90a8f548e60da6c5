# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
"""A client library for accessing MetaStudio short jobs. PYTEST_DONT_REWRITE"""

from .client import AuthenticatedClient, Client

__all__ = ("AuthenticatedClient", "Client")
