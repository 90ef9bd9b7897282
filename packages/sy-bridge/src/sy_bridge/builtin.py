"""The operators and instruments that come with the bridge, by the ids of their entry points."""

from sy_bridge._builtin._files import Glob, Read
from sy_bridge._builtin._markdown import RenderMarkdown
from sy_bridge._builtin._python import Outline
from sy_bridge._builtin._summarizer import Summarizer
from sy_bridge._builtin._text import Chunk, Join

__all__ = ["Chunk", "Glob", "Join", "Outline", "Read", "RenderMarkdown", "Summarizer"]
