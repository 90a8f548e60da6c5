# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
"""Contains endpoint functions for accessing the API"""
