"""baliza site | user | token: who may send, who may look."""

import click

from baliza import sites, stores
from baliza.settings import load_settings

__all__ = ["site", "token", "user"]


@click.group()
def site() -> None:
    """Sites: one for each shop, with a publishable and a secret key."""


@site.command("add")
@click.argument("name")
@click.option("--origin", "origins", multiple=True, required=True, help="allowed browser origin; may be given several times")
@click.option("--timezone", default="UTC", show_default=True, help="time zone of the site's reports")
@click.option("--require-consent", is_flag=True, help="take only events that say consent: granted")
@click.option("--count-automation", is_flag=True, help="browsers driven by a program are people (staging sites, tests)")
def add(name: str, origins: tuple[str, ...], timezone: str, require_consent: bool, count_automation: bool) -> None:
    """Register a site and print its keys. The secret key is shown only now.

    \b
    Example: baliza site add lamps --origin https://lamps.example --timezone Europe/Madrid
    """
    redis = stores.redis(load_settings())
    made, secret = stores.call(
        lambda: sites.add_site(
            redis,
            name,
            origins,
            timezone=timezone,
            require_consent=require_consent,
            count_automation=count_automation,
        )
    )
    click.echo(f"site             {made.name}")
    click.echo(f"publishable key  {made.publishable_key}    for the browser: data-site of the script tag")
    click.echo(f"secret key       {secret}    for your servers only; it is not shown again")


@site.command("list")
def list_sites() -> None:
    """List the sites with their publishable keys and origins.

    \b
    Example: baliza site list
    """
    redis = stores.redis(load_settings())
    registry = stores.call(lambda: sites.load_sites(redis))
    if not registry.by_name:
        click.echo("no sites yet; `baliza site add NAME --origin https://shop.example` makes one")
    for name, entry in sorted(registry.by_name.items()):
        click.echo(f"{name:20} {entry.publishable_key:20} {entry.timezone:16} {' '.join(entry.origins)}")


@site.command("origins")
@click.argument("name")
@click.argument("origins", nargs=-1, required=True)
def set_origins(name: str, origins: tuple[str, ...]) -> None:
    """Set the browser origins that a site allows.

    \b
    Example: baliza site origins lamps https://lamps.example https://www.lamps.example
    """
    redis = stores.redis(load_settings())
    made = stores.call(lambda: sites.set_origins(redis, name, origins))
    click.echo(f"{name}: {' '.join(made.origins)}")


@site.command("offers")
@click.argument("name")
@click.option("--value", type=float, help="0: what is most relevant, 1: what earns most, between: a bit of both")
@click.option("--explore", type=float, help="share of the offers that are shown to learn about them, 0 to 0.3")
@click.option("--cap", type=int, help="seen so often without a click, an offer rests for a week; 0: never")
def set_offers(name: str, value: float | None, explore: float | None, cap: int | None) -> None:
    """Show or set how a site's offers are chosen and ranked.

    \b
    Example: baliza site offers lamps --value 0.3 --explore 0.05 --cap 10
    """
    redis = stores.redis(load_settings())
    made = stores.call(lambda: sites.set_offers(redis, name, value, explore, cap))
    click.echo(f"{name}: value {made.offer_value:g}, explore {made.offer_explore:g}, cap {made.offer_cap}")


@click.group()
def user() -> None:
    """Users of the console."""


@user.command("add")
@click.argument("name")
@click.option("--site", "site_names", multiple=True, required=True, help="a site whose reports the user sees")
@click.password_option(help="asked for when it is not given")
def add_user(name: str, site_names: tuple[str, ...], password: str) -> None:
    """Add a console user, or set the password and sites of one.

    \b
    Example: baliza user add ana --site lamps
    """
    redis = stores.redis(load_settings())
    stores.call(lambda: sites.add_user(redis, name, password, site_names))
    click.echo(f"user {name} sees {', '.join(site_names)}")


@click.group()
def token() -> None:
    """Bearer tokens for the report API."""


@token.command("add")
@click.option("--site", "site_name", required=True, help="the site whose reports the token reads")
def add_token(site_name: str) -> None:
    """Make a token and print it; it is shown only now.

    \b
    Example: baliza token add --site lamps
    """
    redis = stores.redis(load_settings())
    click.echo(stores.call(lambda: sites.add_token(redis, site_name)))
