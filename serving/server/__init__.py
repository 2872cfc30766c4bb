"""The recommender behind gRPC: wires, starts and stops its parts."""

from serving.server.dependencies import Dependencies
from serving.server.lifecycle import run_server
from serving.server.service_assembly import SERVICE

__all__ = ["SERVICE", "Dependencies", "run_server"]
