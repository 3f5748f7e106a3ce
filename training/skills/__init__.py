"""The skills of the demo model: each module writes conversations that teach one of them."""
