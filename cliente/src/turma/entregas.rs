//! As entregas de uma turma: uma pasta, um arquivo ou um `.zip` por pessoa, dentro de uma pasta só. Acha cada uma e
//! diz de quem é; não as abre nem olha o que têm dentro.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// O que o Moodle põe entre o número de quem entregou e o nome do arquivo.
const DO_MOODLE: &str = "_assignsubmission_";

/// O que uma entrega solta pode ser: o programa, ou um pacote com ele. Os pacotes que não se abrem também
/// contam, para que quem os mandou tenha a sua linha.
const SOLTAS: [&str; 19] = [
    "py", "js", "mjs", "cjs", "java", "c", "cc", "cpp", "cxx", "go", "rs", "zip", "rar", "7z",
    "gz", "tgz", "bz2", "xz", "tar",
];

/// Quanto do nome vai ao apelido: o sistema aceita 255 em um nome de arquivo, e ainda se lhe junta alguma coisa.
const APELIDO_MAXIMO: usize = 100;

/// O que uma pessoa entregou.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrega {
    /// De quem é.
    pub nome: String,
    /// O número que o Moodle lhe dá, se veio de lá.
    pub id: Option<String>,
    /// O nome dela em arquivos e endereços: só letras sem acento, algarismos e `-`; de mais ninguém.
    pub apelido: String,
    /// A pasta ou os arquivos.
    pub caminhos: Vec<PathBuf>,
}

/// Acha as entregas, em ordem de nome; `fora` é a pasta do que se escreve, que não é uma entrega.
///
/// # Errors
///
/// A pasta não se lê.
pub fn procurar(pasta: &Path, fora: &Path) -> io::Result<Vec<Entrega>> {
    let fora = fs::canonicalize(fora).ok();
    let mut caminhos: Vec<PathBuf> = Vec::new();
    for entrada in fs::read_dir(pasta)? {
        let caminho = entrada?.path();
        let escrita = fora.is_some() && fs::canonicalize(&caminho).ok() == fora;
        if !escrita && e_entrega(&caminho) {
            caminhos.push(caminho);
        }
    }
    caminhos.sort();
    let mut entregas: Vec<Entrega> = Vec::new();
    for caminho in caminhos {
        let (nome, id) = de_quem(&caminho);
        // O Moodle pode dar os arquivos de uma pessoa soltos, cada um com o nome dela.
        let dela = |e: &&mut Entrega| id.is_some() && e.id == id && e.nome == nome;
        match entregas.iter_mut().find(dela) {
            Some(entrega) => entrega.caminhos.push(caminho),
            None => {
                entregas.push(Entrega { nome, id, apelido: String::new(), caminhos: vec![caminho] })
            }
        }
    }
    entregas.sort_by_cached_key(|entrega| (sem_acento(&entrega.nome), entrega.id.clone()));
    apelidar(&mut entregas);
    Ok(entregas)
}

fn e_entrega(caminho: &Path) -> bool {
    let nome = caminho.file_name().unwrap_or_default().to_string_lossy();
    if nome.starts_with('.') || nome == "__MACOSX" {
        return false;
    }
    caminho.is_dir() || caminho.is_file() && SOLTAS.contains(&&*extensao(caminho))
}

/// A extensão, em minúsculas.
pub fn extensao(caminho: &Path) -> String {
    caminho.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// `Ana Lima_123_assignsubmission_file` é de Ana Lima, e o número dela é 123. Sem isso, é de quem dá nome à
/// pasta ou ao arquivo.
fn de_quem(caminho: &Path) -> (String, Option<String>) {
    let inteiro = caminho.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let moodle = inteiro.split_once(DO_MOODLE).and_then(|(quem, _)| quem.rsplit_once('_'));
    if let Some((nome, id)) = moodle {
        let e_numero = !id.is_empty() && id.bytes().all(|letra| letra.is_ascii_digit());
        if e_numero && !nome.trim().is_empty() {
            return (limpo(nome), Some(id.to_owned()));
        }
    }
    let nome = if caminho.is_dir() {
        inteiro
    } else {
        caminho.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    };
    (limpo(&nome), None)
}

/// Em uma linha, sem controles nem marcas que trocam a direção da leitura: vai ao terminal, às páginas e à planilha.
fn limpo(nome: &str) -> String {
    let some = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let nome: String = nome.chars().map(|c| if some(c) { ' ' } else { c }).collect();
    nome.trim().to_owned()
}

fn apelidar(entregas: &mut [Entrega]) {
    let mut usados = BTreeSet::new();
    for entrega in entregas {
        let mut palavras = sem_acento(&entrega.nome);
        palavras.truncate(APELIDO_MAXIMO);
        let com_id = entrega.id.as_ref().map(|id| format!("{palavras}-{id}"));
        let base = com_id.unwrap_or(palavras);
        let base = if base.is_empty() { "sem-nome".to_owned() } else { base };
        let outros = (2..).map(|vez| format!("{base}-{vez}"));
        let mut livres = std::iter::once(base.clone()).chain(outros);
        entrega.apelido = livres.find(|apelido| usados.insert(apelido.clone())).unwrap_or_default();
    }
}

/// `José d'Ávila` é `jose-d-avila`.
pub fn sem_acento(texto: &str) -> String {
    let mut saida = String::new();
    for letra in texto.to_lowercase().chars() {
        let letra = match letra {
            'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' => 'a',
            'é' | 'è' | 'ê' | 'ë' => 'e',
            'í' | 'ì' | 'î' | 'ï' => 'i',
            'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
            'ú' | 'ù' | 'û' | 'ü' => 'u',
            'ç' => 'c',
            'ñ' => 'n',
            outra => outra,
        };
        match letra {
            'a'..='z' | '0'..='9' => saida.push(letra),
            // A marca de um acento que veio separada da letra, como o macOS a escreve.
            '\u{300}'..='\u{36f}' => {}
            _ if !saida.is_empty() && !saida.ends_with('-') => saida.push('-'),
            _ => {}
        }
    }
    saida.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod testes {
    use super::*;

    fn achadas(arquivos: &[&str]) -> Vec<Entrega> {
        let turma = tempfile::tempdir().unwrap();
        for arquivo in arquivos {
            let caminho = turma.path().join(arquivo);
            fs::create_dir_all(caminho.parent().unwrap()).unwrap();
            fs::write(caminho, "x").unwrap();
        }
        procurar(turma.path(), &turma.path().join("notas")).unwrap()
    }

    fn nomes(entregas: &[Entrega]) -> Vec<(&str, Option<&str>, &str)> {
        entregas.iter().map(|e| (&*e.nome, e.id.as_deref(), &*e.apelido)).collect()
    }

    #[test]
    fn cada_pasta_arquivo_ou_zip_e_uma_entrega_e_o_resto_nao() {
        let entregas = achadas(&[
            "Zé da Silva/servidor.py",
            "ana.zip",
            "beto.py",
            "carla.rar",
            "LEIA-ME.txt",
            "notas.csv",
            ".oculta/x.py",
            "__MACOSX/x.py",
            "notas/index.html",
        ]);
        assert_eq!(
            nomes(&entregas),
            [
                ("ana", None, "ana"),
                ("beto", None, "beto"),
                ("carla", None, "carla"),
                ("Zé da Silva", None, "ze-da-silva"),
            ]
        );
    }

    #[test]
    fn o_nome_do_moodle_da_quem_e_e_o_numero() {
        let entregas = achadas(&[
            "José d'Ávila_123_assignsubmission_file/servidor.py",
            "Ana Lima_7_assignsubmission_file_/servidor.py",
            "Rui Sá_9_assignsubmission_file_servidor.py",
            "Rui Sá_9_assignsubmission_file_cliente.py",
            "Rui Sá_10_assignsubmission_file_tudo.zip",
        ]);
        assert_eq!(
            nomes(&entregas),
            [
                ("Ana Lima", Some("7"), "ana-lima-7"),
                ("José d'Ávila", Some("123"), "jose-d-avila-123"),
                ("Rui Sá", Some("10"), "rui-sa-10"),
                ("Rui Sá", Some("9"), "rui-sa-9"),
            ]
        );
        assert_eq!(entregas[3].caminhos.len(), 2, "os arquivos soltos são de uma pessoa só");
    }

    #[test]
    fn um_nome_que_nao_cabe_em_outro_arquivo_se_encurta_e_um_que_engana_se_limpa() {
        let comprido = "a".repeat(250);
        let outro = format!("{}b", "a".repeat(249));
        let entregas = achadas(&[
            &format!("{comprido}/x.py"),
            &format!("{outro}/x.py"),
            "Bia\u{202e}nome\nfalso/x.py",
        ]);
        let apelidos: Vec<&str> = entregas.iter().map(|e| &*e.apelido).collect();
        let esperado = "a".repeat(APELIDO_MAXIMO);
        assert_eq!(apelidos, [&*esperado, &*format!("{esperado}-2"), "bia-nome-falso"]);
        assert_eq!(entregas[2].nome, "Bia nome falso");
    }

    #[test]
    fn dois_com_o_mesmo_apelido_se_distinguem() {
        let entregas = achadas(&["Ana/x.py", "ana.zip", "@/x.py"]);
        let mut apelidos: Vec<&str> = entregas.iter().map(|e| &*e.apelido).collect();
        apelidos.sort_unstable();
        assert_eq!(apelidos, ["ana", "ana-2", "sem-nome"]);
    }
}
