# Generated from openapi.yaml by ./generate.sh. Never edit it: the next run takes every edit away.
"""Contains methods for accessing the API"""
