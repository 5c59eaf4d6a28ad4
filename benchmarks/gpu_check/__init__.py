"""What has to be seen on a card before a release, as steps that write into one JSON."""
