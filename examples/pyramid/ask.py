"""Send a file to the server of shop.ini, or ask for a page, and print it.

    $ python3 ask.py /orders/4711.json order.json
    $ python3 ask.py /filestores/ --as admin:change-me

A server that has just been started is given ten seconds to listen.
"""

import argparse
import base64
import configparser
import http.client
import sys
import time


TRIES = 100
PAUSE = 0.1  # seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('path')
    parser.add_argument('file', nargs='?', type=argparse.FileType('rb'))
    parser.add_argument('--as', dest='user', default='')
    ask(**vars(parser.parse_args()))


def ask(path, file, user):
    connection = connect(read_address())
    connection.request(
        'POST' if file else 'GET', path, file and file.read(),
        {'Authorization': 'Basic ' + base64.b64encode(user.encode()).decode()}
        if user else {})
    response = connection.getresponse()
    print(response.status, response.reason)
    if response.status == 200:
        print(response.read().decode(), end='')
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
    main()
