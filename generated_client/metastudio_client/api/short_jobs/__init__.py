# Generated from openapi.yaml by ./generate.sh. Never edit it: the next run takes every edit away.
"""Contains endpoint functions for accessing the API"""
