"""How long a run would take, before it is started."""
