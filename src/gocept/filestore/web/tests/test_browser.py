"""What somebody sees and does who has a browser, and no more than a keyboard.
"""
import contextlib
import gocept.filestore.tests.case
import gocept.filestore.web.address
import gocept.filestore.web.page
import gocept.filestore.web.tests.scene
import importlib
import importlib.util
import os
import re
import shutil
import unittest


HOSTILE = gocept.filestore.web.tests.scene.HOSTILE
MANY = gocept.filestore.web.tests.scene.MANY
TIMEOUT = gocept.filestore.web.tests.scene.TIMEOUT
WIDTHS = 1280, 360  # of a desk, and of a telephone
SCHEMES = 'light', 'dark'
# Nobody can tell the contrast of what is scrolled out of a narrow page.
KINDS = {1280: ('violations', 'incomplete'), 360: ('violations',)}
PACKAGES = 'playwright', 'axe_playwright_python'
# How far the page is wider than the window, and what is cut off in it without
# a way to scroll there by keyboard.
TOO_WIDE = """() => [
    document.scrollingElement.scrollWidth - innerWidth,
    ...[...document.querySelectorAll('main *')].filter(
        each => ['auto', 'scroll'].includes(getComputedStyle(each).overflowX)
            && each.scrollWidth > each.clientWidth && each.tabIndex < 0
    ).map(each => each.outerHTML.slice(0, 200))]"""
IS_AT_END = '() => document.activeElement == document.body'
# What has the focus, whether one sees that, and whether it is in sight. From
# the one end to the other the focus goes by the whole page.
FOCUSED = """() => {
    const focused = document.activeElement;
    const style = getComputedStyle(focused);
    const box = focused.getBoundingClientRect();
    return [focused.name || focused.innerText.trim(),
            focused == document.body || style.outlineStyle != 'none'
                && parseFloat(style.outlineWidth) > 1,
            box.right > 0 && box.bottom > 0 && box.left < innerWidth
                && box.top < innerHeight]}"""


def missing():
    """Return what is not installed of what these tests need, if anything."""
    found = [name for name in PACKAGES if not importlib.util.find_spec(name)]
    return ', '.join(found + ['chromium'] * (not shutil.which('chromium')))


class Browser:
    """A layer of tests that share a browser."""

    @classmethod
    def setUp(cls):
        cls.stack = contextlib.ExitStack()
        missing() or cls.launch()

    @classmethod
    def launch(cls):
        api = importlib.import_module('playwright.sync_api')
        driver = cls.stack.enter_context(api.sync_playwright())
        cls.browser = driver.chromium.launch(
            executable_path=shutil.which('chromium'),
            args=['--disable-gpu', *['--no-sandbox'] * (os.getuid() == 0)])
        cls.stack.callback(cls.browser.close)

    @classmethod
    def tearDown(cls):
        cls.stack.close()


@gocept.filestore.tests.case.slow
@unittest.skipIf(missing(), 'not installed: ' + missing())
class Case(gocept.filestore.web.tests.scene.Scene):
    """Each test has a browser window of its own, which notes what is wrong."""

    layer = Browser
    width = WIDTHS[0]

    def setUp(self):
        super().setUp()
        context = self.layer.browser.new_context(
            viewport={'width': self.width, 'height': 800})
        self.addCleanup(context.close)
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self.seen = []  # what is wrong, or perhaps
        for event, told in (
                ('console', lambda message: message.text),
                ('pageerror', str),
                ('dialog', lambda dialog: dialog.message),
                ('requestfailed', lambda request: request.url),
                ('response', lambda response: '%s: %s' % (
                    response.status, response.url))):
            self.note(event, told)
        self.page.goto(self.url)

    def note(self, event, told):
        self.page.on(event, lambda about: self.seen.append(told(about)))

    def tearDown(self):
        self.assertEqual([], self.wrong())
        super().tearDown()

    def wrong(self):
        """Return what was said in the console, and who else was asked.

        Violations of the security policy are told in the console. A download
        is a request that ends elsewhere.
        """
        return [each for each in self.seen
                if not each.startswith('200: ' + self.url)
                and not each.startswith(self.url + 'contents?')]

    def go(self, name, /, **arguments):
        self.page.goto(self.url + gocept.filestore.web.address.address(
            name, **arguments))

    def click(self, words):
        """Click a link."""
        self.page.get_by_role('link', name=words, exact=True).first.click()

    def press(self, words):
        """Click a button."""
        self.page.get_by_role('button', name=words, exact=True).click()

    def heading(self):
        return self.page.locator('h1').inner_text()

    def files(self):
        """Return the names in the list of files."""
        return self.page.locator(
            'section[aria-labelledby=files] tbody th').all_inner_texts()

    def names(self, space):
        return self.tree().get(space, [])

    def download(self, get):
        """Return what the browser keeps, and under which name."""
        with self.page.expect_download() as waiting:
            get()
        path = self.directory / 'download'
        waiting.value.save_as(path)
        return waiting.value.suggested_filename, path.read_bytes()


class Clicks(Case):

    def test_from_what_is_wrong_to_the_reason_of_a_file(self):
        self.assertEqual(
            ['UNKNOWN archive: there is no file store',
             'WARNING store: 11 files failed, 2 transactions in doubt'],
            self.page.get_by_label('What is wrong').locator(
                'li').all_inner_texts())
        self.click('failed')
        self.assertIn('TimeoutError: ' + TIMEOUT, self.row('order-17'))
        self.click('order-17')
        self.assertEqual('order-17', self.heading())
        self.assertEqual('TimeoutError: ' + TIMEOUT, self.page.get_by_label(
            'What is wrong').inner_text())
        tracebacks = self.page.locator('pre')
        self.assertEqual([False, False, True], [
            each.is_visible() for each in tracebacks.all()])
        self.page.locator('summary').first.click()
        self.assertIn('in ask_the_bank', tracebacks.first.inner_text())
        self.assertEqual(('order-17', b'<order/>'), self.download(
            lambda: self.click('download')))
        self.click('store')
        self.click('File stores')
        self.click('archive')
        self.assertIn('there is no file store', self.page.content())

    def row(self, name):
        return self.page.get_by_role('row').filter(
            has=self.page.get_by_role('link', name=name, exact=True)
        ).inner_text()

    def test_who_works_on_what_and_what_comes_next(self):
        self.page.locator('section', has_text='130').get_by_role(
            'link', name='in work').click()
        self.assertIn('filestore run store', self.row('order-200'))
        self.click('longest wait')
        self.assertEqual('order-202', self.files()[0])
        self.release()
        self.wait(lambda: 'order-202' in self.names('work'))
        self.click('store')
        self.assertIn('filestore run store', self.row('order-202'))
        self.click('order-202')
        self.assertIn('being worked on', self.page.content())

    def test_lists(self):
        self.click('store')
        self.press('Show')
        self.assertEqual('order-202', self.files()[0])
        self.click('newer')
        self.assertEqual(30, len(self.files()))
        self.click('older')
        self.assertEqual(100, len(self.files()))
        self.page.get_by_label('space').first.select_option('cur')
        self.page.get_by_label('name').fill('09')
        self.press('Show')
        self.assertEqual(
            ['order-009', *('order-09%s' % number for number in range(10)),
             'order-109'], sorted(self.files()))

    def test_put_back_one(self):
        self.go('file', store='store', name='order-17')
        self.click('put back…')
        self.assertEqual('Put back 1 file?', self.heading())
        self.assertIn('order-17', self.names('failed'))
        self.press('Put back')
        self.assertEqual('1 file put back', self.heading())
        self.assertIn('order-17', self.names('new'))
        self.assertIn("1 file put back by somebody at 127.0.0.1, 'order-17'",
                      self.messages())
        self.release(2 + MANY + 1)
        self.wait(lambda: 'order-17' in self.names('cur'))

    def test_put_back_what_has_timed_out_and_then_all(self):
        self.click('failed')
        self.page.get_by_role('row', name=TIMEOUT).get_by_role(
            'link', name='put back 3 files…').click()
        self.press('Put back')
        self.assertEqual('3 files put back', self.heading())
        self.assertLessEqual(
            {'order-17', 'order-18', 'order-19'}, set(self.names('new')))
        self.assertEqual(8, len(self.names('failed')))
        self.click('Back to the store')
        self.click('put back all that failed…')
        self.click('No, back to the store')
        self.assertEqual(8, len(self.names('failed')))
        self.click('put back all that failed…')
        self.press('Put back')
        self.assertEqual('8 files put back', self.heading())
        self.assertEqual([], self.names('failed'))
        self.assertLessEqual(set(HOSTILE), set(self.names('new')))

    def test_clean(self):
        self.click('store')
        self.page.get_by_label('older than').fill('0m')
        self.press('Show them…')
        self.assertEqual("Remove 130 files from 'cur' for good?",
                         self.heading())
        self.assertEqual(MANY, len(self.names('cur')))
        self.press('Remove')
        self.assertEqual("130 files removed from 'cur'", self.heading())
        self.assertEqual([], self.names('cur'))

    def test_settle(self):
        for how, file, done in (('commit', 'transfer-1', 'committed'),
                                ('abort', 'transfer-2', 'aborted')):
            self.click('File stores')
            self.click('in doubt')
            self.page.get_by_role('row', name=file).get_by_role(
                'link', name=how).click()
            self.assertIn(file, self.page.locator('main').inner_text())
            self.press(how.capitalize())
            self.assertEqual('1 transaction ' + done, self.heading())
        self.assertIn('transfer-1', self.names('new'))
        self.assertNotIn('transfer-2', self.names('new'))
        self.assertEqual([], self.store.status()['intents'])

    def test_names_do_nothing(self):
        for name in HOSTILE:
            self.go('files', store='store', space='failed')
            self.click(gocept.filestore.web.page.shown(name))
            self.assertEqual(
                gocept.filestore.web.page.shown(name), self.heading())
            self.assertEqual(b'<order/>', self.download(
                lambda: self.click('download'))[1])


class Keys(Case):
    """The same with no mouse, on a page as narrow as a telephone."""

    width = WIDTHS[1]

    def key(self, name):
        self.page.keyboard.press(name)

    def focused(self):
        """Return what has the focus, which one has to see."""
        words, is_marked, is_in_sight = self.page.evaluate(FOCUSED)
        self.assertTrue(is_marked and is_in_sight, words)
        return words

    def tab_to(self, words, key='Tab'):
        for _ in range(300):
            self.key(key)
            if self.focused() == words:
                return
        self.fail('%r is not reached' % words)

    def enter(self, *words):
        for each in words:
            self.tab_to(each)
            with self.page.expect_navigation():
                self.key('Enter')
            self.assertEqual([0], self.page.evaluate(TOO_WIDE))

    def test_to_a_file_and_back(self):
        self.enter('store')
        self.tab_to('space')
        self.page.keyboard.type('failed')
        self.tab_to('name')
        self.page.keyboard.type('17')
        with self.page.expect_navigation():
            self.key('Enter')
        self.assertEqual(['order-17'], self.files())
        self.enter('order-17')
        self.assertEqual('order-17', self.heading())
        self.tab_to('put back…')
        self.tab_to('download', 'Shift+Tab')
        self.assertEqual(('order-17', b'<order/>'), self.download(
            lambda: self.key('Enter')))
        self.tab_to('TimeoutError: ' + TIMEOUT)
        self.key('Space')
        self.assertTrue(self.page.locator('pre').first.is_visible())
        self.tab_to('put back…', 'Shift+Tab')
        with self.page.expect_navigation():
            self.key('Enter')
        self.enter('Put back', 'Back to the store')
        self.assertIn('order-17', self.names('new'))

    def test_actions(self):
        self.enter('failed', 'put back 3 files…', 'Put back')
        self.assertEqual('3 files put back', self.heading())
        self.enter('Back to the store', 'put back all that failed…',
                   'Put back')
        self.assertEqual([], self.names('failed'))
        self.enter('Back to the store', 'in doubt', 'commit…', 'Commit',
                   'Back to the store', 'in doubt', 'abort…', 'Abort',
                   'Back to the store')
        self.assertEqual([], self.store.status()['intents'])
        self.enter('waiting', 'newer', 'store')
        self.tab_to('age', 'Shift+Tab')  # from the end, which is nearer
        self.page.keyboard.type('0m')
        self.enter('Show them…', 'Remove')
        self.assertEqual([], self.names('cur'))

    def test_skip_what_is_on_each_page(self):
        self.key('Tab')
        self.assertEqual('To the content', self.focused())
        self.key('Enter')
        self.key('Tab')
        self.assertEqual('archive', self.focused())

    def test_table_that_is_wider_than_the_page(self):
        self.go('store', store='store')
        region = self.page.get_by_role('region', name='In work').locator(
            '.wide')
        self.tab_to(region.inner_text())
        self.key('ArrowRight')
        self.wait(lambda: region.evaluate('each => each.scrollLeft') > 0)

    def test_all_is_reached_and_left_again(self):
        for address in ('', 'store?store=store', 'files?store=store&page=2',
                        'file?store=store&name=order-17'):
            self.page.goto(self.url + address)
            wanted = self.page.locator(
                'a, button, input:not([type=hidden]), select, summary, '
                '[tabindex="0"]').locator('visible=true').count()
            reached = 0
            self.key('Tab')
            while not self.page.evaluate(IS_AT_END):
                reached += 1
                self.key('Tab')
            self.assertEqual(wanted, reached)


class Accessibility(Case):

    def findings(self, *kinds):
        """Return what axe finds: violations, or what it can not tell."""
        found = self.page.evaluate(
            'kinds => axe.run({resultTypes: kinds})', kinds)
        return [(rule['id'], [node['html'] for node in rule['nodes']])
                for kind in kinds for rule in found[kind]]

    def load(self):
        """Let the page know axe, which the page can not do by itself."""
        axe = importlib.import_module(
            'axe_playwright_python.sync_playwright').Axe()
        self.page.evaluate(axe.axe_script)

    def check(self):
        self.load()
        for element in self.page.locator('details').all():
            element.evaluate('each => each.open = true')
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme)
            for width in WIDTHS:
                self.page.set_viewport_size({'width': width, 'height': 800})
                with self.subTest(scheme=scheme, width=width,
                                  url=self.page.url):
                    self.assertEqual([], self.findings(*KINDS[width]))
                    self.assertEqual([0], self.page.evaluate(TOO_WIDE))

    def test_pages(self):
        self.check()
        self.go('store', store='store')
        self.check()
        self.go('files', store='store', page=2)  # of two
        self.check()
        self.go('files', store='store', space='failed')
        self.check()
        self.go('store', store='archive')
        self.check()
        for name in 'order-17', HOSTILE[-2]:
            self.go('file', store='store', name=name)
            self.check()
        self.assertEqual([], self.wrong())
        self.go('file', store='store', name='nothing')
        self.check()
        self.assertEqual({'404', 'Failed'}, {
            re.split('[ :]', each)[0] for each in self.wrong()})
        self.seen.clear()

    def test_questions_and_answers(self):
        self.go('clean', store='store', space='cur', age='0m')
        self.check()
        self.go('retry', store='store')
        self.check()
        self.put('new', 'order-17')  # which is refused
        self.press('Put back')
        self.check()
        self.go('store', store='store')
        self.click('abort…')
        self.check()

    def test_faults_are_seen(self):
        self.load()
        self.page.locator('h1').evaluate('each => each.style.color = "#ddd"')
        self.page.locator('html').evaluate('each => each.lang = ""')
        self.assertLessEqual({'color-contrast', 'html-has-lang'}, {
            rule for rule, _ in self.findings('violations')})
        self.page.locator('main').evaluate(
            'each => each.style.width = "3000px"')
        self.assertLess(1000, self.page.evaluate(TOO_WIDE)[0])
