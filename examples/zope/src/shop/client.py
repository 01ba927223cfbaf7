import argparse
import base64
import http.client
import re
import sys
import time


TRIES = 60  # with a second in between, while the server starts
TOKEN = 'name="token" value="(.*?)"'


def main(address):
    """Send a request, and print the answer."""
    parser = argparse.ArgumentParser('request')
    parser.add_argument('path')
    parser.add_argument('body', nargs='?')
    parser.add_argument('--as', dest='user', help='NAME:PASSWORD')
    parser.add_argument(
        '--form', action='store_true', help='send the form that is there')
    options = parser.parse_args()
    path = f'/{options.path}'
    headers = {'Content-Type': 'application/xml'}
    if options.user:
        headers['Authorization'] = 'Basic ' + base64.b64encode(
            options.user.encode()).decode()
    if options.form:
        response = send_form(address, path, headers)
    else:
        response = send(address, 'POST' if options.body else 'GET', path,
                        options.body, headers)
    if response.status == 200:
        print(response.read().decode(), end='')
    else:
        print(response.status, response.reason)


def send(address, *request):
    for _try in range(TRIES):
        connection = http.client.HTTPConnection(address, timeout=60)
        try:
            connection.request(*request)
            return connection.getresponse()
        except ConnectionRefusedError as error:
            refused = error
            time.sleep(1)
    sys.exit(f'{address}: {refused}')


def send_form(address, path, headers):
    """Send a form as a browser does, with its token and the cookie."""
    page = send(address, 'GET', path, None, headers)
    cookie = page.headers['Set-Cookie']
    token = re.search(TOKEN, page.read().decode())[1]
    return send(address, 'POST', path, f'token={token}', {
        **headers, 'Cookie': cookie.partition(';')[0],
        'Content-Type': 'application/x-www-form-urlencoded'})
