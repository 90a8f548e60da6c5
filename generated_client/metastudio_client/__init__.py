# Generated from openapi.yaml by ./generate.sh. Never edit it: the next run takes every edit away.
"""A client library for accessing MetaStudio short jobs. PYTEST_DONT_REWRITE"""

from .client import AuthenticatedClient, Client

__all__ = ("AuthenticatedClient", "Client")
