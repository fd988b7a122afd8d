//! Os textos do projeto: cada endereço relativo leva a um arquivo que existe, cada âncora a um título, cada
//! caminho de um arquivo nosso existe, e cada `cargo` chama um alvo que há; o único `unsafe` está onde eles dizem. Não
//! confere mais do que dizem, nem os endereços de fora.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

fn raiz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().into()
}

/// Os arquivos com este fim de nome que o git conhece; sem ele, os que estão na pasta, menos o que se compila.
fn arquivos(fim: &str) -> Vec<PathBuf> {
    let nomes = format!("*{fim}");
    let git = Command::new("git").args(["ls-files", &nomes]).current_dir(raiz()).output();
    let lista = match git {
        Ok(saida) if saida.status.success() => String::from_utf8(saida.stdout).unwrap(),
        _ => {
            let achar = format!("find . -name '{nomes}' -not -path '*/target/*'");
            let saida = Command::new("sh").args(["-c", &achar]).current_dir(raiz()).output();
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
    let textos = arquivos(".md");
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

/// As opções seguidas de aspas simples, que o `cmd` do Windows não entende; as duplas servem em toda parte.
fn aspas_que_nao_servem(texto: &str) -> Vec<&str> {
    let opcao = |palavra: &str| palavra.starts_with("--") && palavra.len() > 2;
    let simples = |linha: &&str| {
        let palavras: Vec<&str> = linha.split([' ', '`']).collect();
        palavras.windows(2).any(|par| opcao(par[0]) && par[1].starts_with('\''))
    };
    texto.lines().filter(simples).collect()
}

#[test]
fn os_comandos_das_paginas_servem_tambem_no_cmd_do_windows() {
    // A turma só roda em um Unix, e a página dos sistemas explica as aspas.
    let menos = ["cliente/docs/turma.md", "servidor/docs/sistemas.md"];
    for caminho in arquivos(".md") {
        if menos.iter().any(|nome| caminho.ends_with(nome)) {
            continue;
        }
        let texto = ler(&caminho);
        assert_eq!(aspas_que_nao_servem(&texto), [""; 0], "{}", caminho.display());
    }
    let errado = "cargo run -p cliente -- avaliar --iniciar 'py x.py'\n--nome \"Ana\"\n-- 'x'";
    assert_eq!(aspas_que_nao_servem(errado).len(), 1);
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

/// O único `unsafe`, e por que está lá, diz `servidor/DEPENDENCIAS.md`.
const ONDE_HA_UNSAFE: &str = "protocolo/src/terminal/porta_windows.rs";

/// As linhas de um fonte que abrem um bloco, uma função ou outra coisa `unsafe`, fora dos comentários.
fn unsafes(fonte: &str) -> Vec<&str> {
    let palavra = "unsafe";
    let abre = |linha: &&str| {
        let codigo = linha.split("//").next().unwrap_or_default();
        let depois = codigo.split(palavra).skip(1).map(str::trim_start);
        let mut abertos = ["{", "fn ", "impl ", "impl<", "trait ", "extern ", "("].into_iter();
        let depois: Vec<&str> = depois.collect();
        abertos.any(|aberto| depois.iter().any(|resto| resto.starts_with(aberto)))
    };
    fonte.lines().filter(abre).collect()
}

#[test]
fn ha_um_unsafe_so_e_e_o_da_porta_do_windows() {
    let mut achados = Vec::new();
    for caminho in arquivos(".rs") {
        let fonte = ler(&caminho);
        let caminho = caminho.strip_prefix(raiz()).unwrap().display().to_string();
        achados.extend(unsafes(&fonte).iter().map(|linha| format!("{caminho}: {}", linha.trim())));
    }
    let [achado] = achados.as_slice() else { panic!("{achados:#?}") };
    assert!(achado.trim_start_matches("./").starts_with(ONDE_HA_UNSAFE), "{achado}");
    assert!(ler(&raiz().join("servidor/DEPENDENCIAS.md")).contains(ONDE_HA_UNSAFE));
}

#[test]
fn um_unsafe_plantado_e_visto() {
    let plantado = "unsafe";
    for (fonte, quantos) in [
        (format!("let x = {plantado} {{ *p }};"), 1),
        (format!("pub {plantado} fn x() {{}}\n    {plantado} impl Send for X {{}}"), 2),
        (format!("#[{plantado}(no_mangle)]"), 1),
        (format!("// {plantado} {{"), 0),
        (format!("\"{plantado}\", {plantado}_code"), 0),
    ] {
        assert_eq!(unsafes(&fonte).len(), quantos, "{fonte}");
    }
}
