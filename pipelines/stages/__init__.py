"""What a partition goes through, one file per stage; ``pipelines/road.py`` says in which order."""
