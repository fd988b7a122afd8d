//! Os textos do projeto: cada endereço relativo leva a um arquivo que existe, cada âncora a um título, cada
//! caminho de um arquivo nosso existe, e cada `cargo` chama um alvo que há. Não confere o que dizem, nem os endereços de fora.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

fn raiz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().into()
}

/// Os textos que o git conhece; sem ele, os que estão na pasta, menos o que se compila.
fn textos() -> Vec<PathBuf> {
    let git = Command::new("git").args(["ls-files", "*.md"]).current_dir(raiz()).output();
    let lista = match git {
        Ok(saida) if saida.status.success() => String::from_utf8(saida.stdout).unwrap(),
        _ => {
            let achar = "find . -name '*.md' -not -path '*/target/*'";
            let saida = Command::new("sh").args(["-c", achar]).current_dir(raiz()).output();
            String::from_utf8(saida.unwrap().stdout).unwrap()
        }
    };
    lista.lines().map(|nome| raiz().join(nome)).collect()
}

fn ler(caminho: &Path) -> String {
    fs::read_to_string(caminho).unwrap_or_else(|erro| panic!("{}: {erro}", caminho.display()))
}

/// Os títulos, como as páginas do projeto na web os viram em âncoras.
fn ancoras(texto: &str) -> Vec<String> {
    let (mut ancoras, mut titulo) = (Vec::new(), None::<String>);
    for evento in Parser::new_ext(texto, Options::ENABLE_TABLES) {
        match evento {
            Event::Start(Tag::Heading { .. }) => titulo = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => ancoras.extend(titulo.take().map(|t| ancora(&t))),
            Event::Text(parte) | Event::Code(parte) => {
                if let Some(titulo) = &mut titulo {
                    titulo.push_str(&parte);
                }
            }
            _ => {}
        }
    }
    ancoras
}

fn ancora(titulo: &str) -> String {
    let letra = |letra: char| match letra {
        ' ' => Some('-'),
        '-' | '_' => Some(letra),
        letra if letra.is_alphanumeric() => Some(letra),
        _ => None,
    };
    titulo.to_lowercase().chars().filter_map(letra).collect()
}

/// Os endereços de um texto que não levam a lugar nenhum.
fn perdidos(caminho: &Path, texto: &str) -> Vec<String> {
    let pasta = caminho.parent().unwrap();
    let mut perdidos = Vec::new();
    for evento in Parser::new_ext(texto, Options::ENABLE_TABLES) {
        match evento {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. })
                if !dest_url.contains("://") && !chega(caminho, pasta, &dest_url) =>
            {
                perdidos.push(dest_url.into_string());
            }
            Event::Code(codigo) if e_caminho(&codigo) && !existe(&codigo) => {
                perdidos.push(codigo.into_string());
            }
            _ => {}
        }
    }
    perdidos
}

/// O endereço leva a um arquivo que existe, e a âncora, se tem uma, a um título dele?
fn chega(caminho: &Path, pasta: &Path, endereco: &str) -> bool {
    let (arquivo, titulo) = endereco.split_once('#').unwrap_or((endereco, ""));
    let destino = if arquivo.is_empty() { caminho.into() } else { pasta.join(arquivo) };
    destino.exists() && (titulo.is_empty() || ancoras(&ler(&destino)).iter().any(|a| a == titulo))
}

/// `servidor/src/balcao.rs`: um caminho a partir da raiz do projeto.
fn e_caminho(codigo: &str) -> bool {
    let pastas = ["protocolo/", "servidor/", "cliente/", "tests/", ".cargo/", ".ci/"];
    pastas.iter().any(|pasta| codigo.starts_with(pasta)) && !codigo.contains([' ', '*', '{', ':'])
}

fn existe(caminho: &str) -> bool {
    raiz().join(caminho).exists()
}

/// O que um `cargo` chama e não existe, em cada linha de um texto.
fn alvos_que_faltam(texto: &str) -> Vec<String> {
    let palavras: Vec<&str> = texto.split(|c: char| c.is_whitespace() || c == '`').collect();
    let pares = palavras.windows(2).filter_map(|par| {
        let pastas: &[&str] = match par[0] {
            "--example" => &["servidor/examples", "cliente/examples", "tests/examples"],
            "--bench" => &["cliente/benches", "tests/benches"],
            _ => return None,
        };
        let ha = |pasta: &&str| {
            [format!("{pasta}/{}.rs", par[1]), format!("{pasta}/{}/main.rs", par[1])]
                .iter()
                .any(|caminho| existe(caminho))
        };
        (!pastas.iter().any(ha)).then(|| par.join(" "))
    });
    pares.collect()
}

#[test]
fn cada_endereco_e_cada_caminho_dos_textos_leva_a_algum_lugar() {
    let textos = textos();
    assert!(textos.len() > 10, "{textos:?}");
    let mut perdidos_de_todos = Vec::new();
    for caminho in textos {
        let texto = ler(&caminho);
        let todos = perdidos(&caminho, &texto).into_iter().chain(alvos_que_faltam(&texto));
        perdidos_de_todos.extend(todos.map(|perdido| format!("{}: {perdido}", caminho.display())));
    }
    assert!(perdidos_de_todos.is_empty(), "{}", perdidos_de_todos.join("\n"));
}

#[test]
fn um_endereco_uma_ancora_um_caminho_e_um_alvo_que_nao_existem_sao_vistos() {
    let readme = raiz().join("README.md");
    let texto = "# Um título, só\n[a](nao/existe.md) [b](#um-título-só) [c](#outro) ![d](figura.png)\n\
                 `servidor/src/nada.rs` `servidor/src/balcao.rs` [e](https://exemplo.org/x)";
    let vistos = perdidos(
        &readme,
        &texto.replace("#um-título-só", "servidor/PROMESSAS.md#o-que-este-servidor-promete"),
    );
    assert_eq!(vistos, ["nao/existe.md", "#outro", "figura.png", "servidor/src/nada.rs"]);
    assert_eq!(ancoras(texto), ["um-título-só"]);
    assert_eq!(
        alvos_que_faltam("cargo run --example eco\n`cargo bench --bench nada`"),
        ["--bench nada"]
    );
}

/// A primeira tela é para quem tem trinta segundos.
#[test]
fn o_comeco_e_curto_e_mostra_a_figura_e_tres_comandos() {
    let texto = ler(&raiz().join("README.md"));
    assert!(texto.lines().count() <= 180, "{} linhas", texto.lines().count());
    let tela: Vec<_> = texto.lines().take(20).collect();
    assert!(tela.iter().any(|linha| linha.starts_with("![")), "falta a figura");
    assert_eq!(tela.iter().filter(|linha| linha.starts_with("cargo run")).count(), 2);
}
