"""What runs: replicas of engines, their health, and who starts them. Chooses nothing: that is routing's part."""
