"""Long documents, of which many samples are made: read and encoded once by a process, whichever thread comes first."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from train_bridge.tokens.encoder import Encoded
from train_bridge.tokens.faults import SampleFault

MAX_TOKENS = 8_000_000
"""Of the documents that are kept; about 40 MB."""


class EncodedDocuments:
    """The last documents that were asked for, encoded. Safe to use from threads."""

    def __init__(self, encode: Callable[[int], Encoded | SampleFault], *, max_tokens: int = MAX_TOKENS) -> None:
        """Keep nothing yet.

        Args:
            encode: Reads and encodes a row of the corpus; may raise.
            max_tokens: Of all documents that are kept; the last one is kept whatever its length.
        """
        self._encode, self._max_tokens = encode, max_tokens
        self._found: OrderedDict[int, Future[Encoded | SampleFault]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, row: int) -> Encoded | SampleFault:
        """Return a document; whoever asks for one that another thread is encoding waits for it.

        Raises:
            ShardError: It cannot be read; the next who asks tries again.
        """
        with self._lock:
            future = self._found.get(row)
            is_first = future is None
            if future is None:
                future = self._found[row] = Future()
            self._found.move_to_end(row)
        if is_first:
            try:
                future.set_result(self._encode(row))
            except BaseException as error:
                with self._lock:
                    del self._found[row]
                future.set_exception(error)
                raise
            self._forget_oldest()
        return future.result()

    def _forget_oldest(self) -> None:
        with self._lock:
            lengths = {row: _length(future) for row, future in self._found.items() if future.done()}
            too_many = sum(lengths.values()) - self._max_tokens
            for row, length in list(lengths.items())[:-1]:
                if too_many <= 0:
                    return
                del self._found[row]
                too_many -= length


def _length(future: Future[Encoded | SampleFault]) -> int:
    encoded = future.result()
    return 0 if isinstance(encoded, SampleFault) else len(encoded.ids)
