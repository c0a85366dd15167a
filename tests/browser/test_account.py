"""Logging in, the account page and shared links, in a browser."""

from pixelake.registry import passwords

PASSWORD = "correct horse battery"


def _user(house, name="olga", role="owner"):
    house.registry.access.add_user(name, role, None, passwords.hashed(PASSWORD))


def _log_in(page, name, password=PASSWORD):
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def test_logging_in_and_out(house, visit):
    """A page without a session asks who it is, says what was wrong, and goes on to where one wanted to be."""
    _user(house)
    page = visit(away=["**/nowhere"])
    page.context.clear_cookies()
    page.goto(house.origin + "account?site=shop")
    assert "/login?next=" in page.url
    _log_in(page, "olga", "wrong password")
    page.get_by_role("alert").get_by_text("Wrong name or password.").wait_for()
    _log_in(page, "<b>olga</b>", "wrong password")
    page.get_by_role("alert").get_by_text("Wrong name or password.").wait_for()
    _log_in(page, "olga")
    page.get_by_role("heading", name="Account", exact=True).wait_for()
    assert page.url == house.origin + "account?site=shop"
    page.get_by_role("button", name="Log out everywhere").click()
    page.get_by_role("heading", name="Log in").wait_for()
    assert "olga" not in {session.user for session in house.registry.access.door().sessions.values()}


def test_an_owner_lets_others_in(house, visit):
    """An owner makes a user and a link, which anybody can open, and takes both away again."""
    page = visit()
    page.goto(house.origin + "account")
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Vera")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_label("Sites").fill("shop, blog")
    dialog.get_by_role("button", name="Save").click()
    page.get_by_role("rowheader", name="vera").wait_for()
    assert house.registry.access.door().users["vera"].sites == {"shop", "blog"}
    page.get_by_role("button", name="Share a site").click()
    dialog.get_by_label("What it is for").fill("<img src=x onerror=alert(1)>")
    dialog.get_by_label("Site").fill("shop")
    dialog.get_by_role("button", name="Make the link").click()
    link = page.get_by_label("The new link").input_value()
    page.get_by_text("<img src=x onerror=alert(1)>").first.wait_for()
    page.get_by_role("button", name="Remove vera").click()
    dialog.get_by_role("button", name="Remove").click()
    page.get_by_text("Nobody has a name and a password yet.").wait_for()
    other = visit(away=["**/nowhere"])
    other.context.clear_cookies()
    other.goto(link)
    other.get_by_text("shop", exact=True).first.wait_for()
    assert not other.context.cookies()
    page.get_by_role("button", name="Remove <img").click()
    dialog.get_by_role("button", name="Remove").click()
    page.get_by_text("Nothing is shared.").wait_for()
    other.goto(link)
    other.get_by_role("heading", name="This link no longer works").wait_for()


def test_a_link_asks_for_its_password(house, visit):
    """Wrong is said, right opens."""
    _, secret = house.registry.access.add_share("x", "shop", password=passwords.hashed(PASSWORD))
    page = visit(away=["**/nowhere"])
    page.context.clear_cookies()
    page.goto(f"{house.origin}share/{secret}")
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("alert").get_by_text("Wrong password.").wait_for()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Open").click()
    page.get_by_text("shop", exact=True).first.wait_for()
