import http.client
import sys
import time


TRIES = 60  # with a second in between, while the server starts


def main(address):
    """Send a request, and print the answer: request PATH [BODY]"""
    path, body = (sys.argv[1:] + [None])[:2]
    response = send(address, 'POST' if body else 'GET', f'/{path}', body)
    if response.status == 200:
        print(response.read().decode(), end='')
    else:
        print(response.status, response.reason)


def send(address, *request):
    for _try in range(TRIES):
        connection = http.client.HTTPConnection(address, timeout=60)
        try:
            connection.request(
                *request, headers={'Content-Type': 'application/xml'})
            return connection.getresponse()
        except ConnectionRefusedError as error:
            refused = error
            time.sleep(1)
    sys.exit(f'{address}: {refused}')
