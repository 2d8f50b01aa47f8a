"""Protobuf to dataclasses and back. The only package that imports `dagwright_api`.

One module for each .proto file, with pairs `encode_x` and `decode_x` and no logic. `client`, `serving` and `status` import
grpc; the others do not, as every worker loads them.
"""
