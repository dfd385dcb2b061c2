"""Document ids as numbers: half as long, and they sort and compare in any array library."""

import binascii
import sys
from array import array

import pyarrow as pa
import pyarrow.compute as pc

from curate.contract.errors import SchemaError
from curate.contract.ids import DOC_ID_HEX_DIGITS

WORD_BYTES = 8


def id_number(doc_ids: pa.Array) -> pa.Array:
    """Return the digits of document ids as numbers, uint64 [N]; numbers sort as their ids do.

    Raises:
        SchemaError: What is no document id: other than 16 lower-case hex digits.
    """
    is_id = pc.fill_null(pc.match_substring_regex(doc_ids, rf"\A[0-9a-f]{{{DOC_ID_HEX_DIGITS}}}\z"), fill_value=False)
    wrong = doc_ids.filter(pc.invert(is_id))
    if len(wrong):
        raise SchemaError(f"{wrong[0].as_py()!r} is no document id: 16 hex digits, lower case")
    digits = doc_ids.cast(pa.binary()).cast(pa.binary(DOC_ID_HEX_DIGITS))
    text = digits.buffers()[1].slice(digits.offset * DOC_ID_HEX_DIGITS, len(digits) * DOC_ID_HEX_DIGITS)
    words = _big_endian(binascii.unhexlify(text))
    return pa.Array.from_buffers(pa.uint64(), len(digits), [None, pa.py_buffer(words)])


def id_text(numbers: pa.Array) -> pa.Array:
    """Return document ids from their numbers, string [N]."""
    own = numbers.buffers()[1].slice(numbers.offset * WORD_BYTES, len(numbers) * WORD_BYTES)
    text = binascii.hexlify(_big_endian(own.to_pybytes()))
    digits = pa.Array.from_buffers(pa.binary(DOC_ID_HEX_DIGITS), len(numbers), [None, pa.py_buffer(text)])
    return digits.cast(pa.binary()).cast(pa.string())


def _big_endian(data: bytes) -> bytes:
    """Return 64-bit words with the most significant byte first, as people write digits, or back."""
    words = array("Q", data)
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()
