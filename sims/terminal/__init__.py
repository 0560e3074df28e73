"""What the commands of `sims.cli` say and show: tables, progress bars, lists."""
