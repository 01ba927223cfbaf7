"""Post a file to the server of shop.ini, and print what it answers.

    $ python3 post.py /orders/4711.json order.json

A server that has just been started is given ten seconds to listen.
"""

import configparser
import http.client
import sys
import time


TRIES = 100
PAUSE = 0.1  # seconds


def main(path, filename):
    connection = connect(read_address())
    with open(filename, 'rb') as f:
        connection.request('POST', path, f.read())
    response = connection.getresponse()
    print(response.status, response.reason)
    connection.close()


def read_address():
    config = configparser.ConfigParser()
    config.read('shop.ini')
    return config['server:main']['listen']


def connect(address):
    connection = http.client.HTTPConnection(address, timeout=30)
    for _number in range(TRIES):
        try:
            connection.connect()
            return connection
        except ConnectionRefusedError:
            time.sleep(PAUSE)
    sys.exit(f'nobody listens at {address}')


if __name__ == '__main__':
    main(*sys.argv[1:])
