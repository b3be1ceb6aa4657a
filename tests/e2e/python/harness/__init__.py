"""What the tests share: the server as a process, its API, people in rooms, sound and pictures to recognise."""
