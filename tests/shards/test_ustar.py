import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.contract.errors import ShardError
from shards.ustar import TAR_MODE, TAR_OWNER, encode_end, encode_header, padding


@given(st.from_regex(r"[0-9]{11}\.[a-z0-9.]{1,88}", fullmatch=True), st.integers(0, 8**11 - 1))
def test_a_header_is_the_one_that_tarfile_writes(name: str, num_bytes: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.uname, member.gname = num_bytes, TAR_MODE, TAR_OWNER, TAR_OWNER
    assert encode_header(name, num_bytes) == member.tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(("name", "num_bytes"), [("a" * 101, 1), ("a", 8**11)])
def test_what_does_not_fit_is_refused(name: str, num_bytes: int) -> None:
    with pytest.raises(ShardError, match="do not fit into a tar header"):
        encode_header(name, num_bytes)


@pytest.mark.parametrize(("num_bytes", "zeros"), [(0, 0), (1, 511), (512, 0), (513, 511)])
def test_content_is_padded_to_whole_blocks(num_bytes: int, zeros: int) -> None:
    assert padding(num_bytes) == bytes(zeros)


@pytest.mark.parametrize(("num_bytes", "end"), [(0, 10240), (9216, 1024), (9728, 10752)])
def test_an_archive_ends_with_two_blocks_of_zeros_and_a_whole_record(num_bytes: int, end: int) -> None:
    assert encode_end(num_bytes) == bytes(end)
