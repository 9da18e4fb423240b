"""A scanner for machines that reach no registry: a real trivy, with a database made for the tests.

It is no part of Slipway: a database that knows three vulnerabilities must never pass for one.
"""
