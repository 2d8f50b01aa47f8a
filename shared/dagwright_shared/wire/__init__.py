"""Protobuf to dataclasses and back. The only package that imports `dagwright_api`."""
