"""What a gateway costs: Servery and its peers under the same load, in one table. ``make bench`` runs it."""
