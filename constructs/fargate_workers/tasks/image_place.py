"""Whether a task can pull its image from where it is."""

import re
from weakref import WeakKeyDictionary

from aws_cdk import aws_ecs as ecs
from constructs import Construct

from fargate_workers.cloudformation import account, announce, announce_statements, has_token, partition, stack_of
from fargate_workers.cluster import Network
from fargate_workers.errors import ConfigurationError

# Many tasks run one image, and its name is a round trip to the CDK's Node process.
_names: WeakKeyDictionary[ecs.ContainerImage, str] = WeakKeyDictionary()
_IN_ECR = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.")


def check_image(
    scope: Construct, image: ecs.ContainerImage, container: ecs.ContainerDefinition, network: Network | None
) -> None:
    """Announce what an image's owner must allow; `network` is the one made for the task, if it has no other way out.

    Raises ConfigurationError for an image of another region that no endpoint leads to.
    """
    if not isinstance(image, ecs.RepositoryImage | ecs.EcrImage):
        return
    name = _names.get(image)
    if name is not None and isinstance(image, ecs.RepositoryImage):
        return  # said of the first task that runs it
    _names[image] = name = container.image_name
    in_ecr = _IN_ECR.match(name)
    if isinstance(image, ecs.RepositoryImage):
        if in_ecr is not None:
            announce(
                scope,
                "image without permission",
                f"The image {name} is in ECR, but nothing lets the task pull it; name its repository by "
                "ContainerImage.from_ecr_repository(...).",
            )
        elif network == "endpoints":
            announce(
                scope,
                "image out of reach",
                f'The image {name} is not in ECR, and network="endpoints" has no way to the internet; copy it to ECR, '
                "or see that its registry is reached from these subnets.",
            )
        return
    stack = stack_of(scope)
    if in_ecr is None or has_token(stack.account):
        return
    owner, region = in_ecr.groups()
    if network == "endpoints" and region != stack.region:
        raise ConfigurationError(
            f'{scope.node.path}: the image {name} is of region {region}, and network="endpoints" reaches the registry '
            f"of {stack.region} alone; replicate the repository to this region."
        )
    if owner != stack.account:
        announce_statements(
            scope,
            f"the repository of {name}",
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition()}:iam::{account()}:root"},
                "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            },
        )
