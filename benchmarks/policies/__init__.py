"""How good the platform's decisions are, beside others', in the simulator."""
