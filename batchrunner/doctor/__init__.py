"""Whether every configured region works: asked by one tiny call to each, explained in words."""
