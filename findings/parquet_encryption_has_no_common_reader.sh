#!/usr/bin/env bash
# DuckDB can't read the Parquet files that pyarrow encrypts, not even with the key.
#
# Both say that they support Parquet's modular encryption. pyarrow makes a data key for each file and wraps it with the key of
# a key management service, in metadata that DuckDB does not read: it takes the key itself. DuckDB in turn writes encrypted
# files only with an extension that it downloads. So data that both read can't be encrypted file by file: encrypt the volume.
#
# Seen with duckdb 2.0.0 and pyarrow 25.0.1:
#   pyarrow, with the key     reads
#   pyarrow, without          OSError
#   DuckDB, with the key      InvalidInputException: wrong AES tag
#   DuckDB, without           InvalidInputException
#   DuckDB writes             Error: its crypto module only reads
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet duckdb==2.0.0 pyarrow==25.0.1
cd "$folder"
cat > try.py <<'PYTHON'
import base64

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as encryption

KEY = b"0123456789abcdef"


class Kms(encryption.KmsClient):
    """A key management service for this trial alone: it does not encrypt well."""

    def wrap_key(self, key, name):
        return base64.b64encode(bytes(a ^ b for a, b in zip(key, KEY)))

    def unwrap_key(self, wrapped, name):
        return bytes(a ^ b for a, b in zip(base64.b64decode(wrapped), KEY))


def outcome(call):
    try:
        call()
        return "works"
    except Exception as error:
        return type(error).__name__


factory, config = encryption.CryptoFactory(lambda config: Kms()), encryption.KmsConnectionConfig()
columns = encryption.EncryptionConfiguration(footer_key="key", column_keys={"key": ["user_id"]}, data_key_length_bits=128)
properties = factory.file_encryption_properties(config, columns)
pq.write_table(pa.table({"user_id": ["ann"]}), "file.parquet", encryption_properties=properties)
connection = duckdb.connect()
connection.execute(f"PRAGMA add_parquet_key('key', '{KEY.decode()}')")
keyed = "encryption_config = {footer_key: 'key'}"
decryption = factory.file_decryption_properties(config)
found = {
    "pyarrow, with the key": outcome(lambda: pq.ParquetFile("file.parquet", decryption_properties=decryption).read()),
    "pyarrow, without": outcome(lambda: pq.read_table("file.parquet")),
    "DuckDB, with the key": outcome(lambda: connection.execute(f"FROM read_parquet('file.parquet', {keyed})").fetchall()),
    "DuckDB, without": outcome(lambda: connection.execute("FROM 'file.parquet'").fetchall()),
    "DuckDB writes": outcome(lambda: connection.execute("COPY (SELECT 1 AS x) TO 'own.parquet' (ENCRYPTION_CONFIG {footer_key: 'key'})")),
}
print(f"duckdb {duckdb.__version__}, pyarrow {pa.__version__}: {found}")
assert [name for name, result in found.items() if result == "works"] == ["pyarrow, with the key"], found
PYTHON
"$folder/venv/bin/python" try.py
