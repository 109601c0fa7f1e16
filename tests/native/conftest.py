"""What is compiled is there in `nox -s native` only; the other sessions need not collect this."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("model_verify_native") else ["test_*.py"]
