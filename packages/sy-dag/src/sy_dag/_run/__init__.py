"""Doing it: the core that decides, the journal, and the asyncio shell."""
