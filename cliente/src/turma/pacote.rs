//! Abre o que se entregou em uma pasta: copia os arquivos e extrai os `.zip`, também os que estão dentro de outros.
//!
//! O que vem de fora não é confiável: nada se escreve fora da pasta de destino, um atalho não se segue, e um pacote
//! que cresce demais não se extrai inteiro. Não executa nada.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use protocolo::mensagem::visivel;
use protocolo::terminal::explicar;
use thiserror::Error;
use zip::ZipArchive;

use super::entregas::{Entrega, extensao};

/// Quanto uma entrega pode ter, aberta.
pub const BYTES_MAXIMOS: u64 = 200 * 1024 * 1024;

/// Quantos arquivos e pastas.
const ARQUIVOS_MAXIMOS: usize = 20_000;

/// Quantos pacotes um dentro do outro.
const PACOTES_ANINHADOS: usize = 3;

/// Os pacotes que não se abrem.
const OUTROS_PACOTES: [&str; 7] = ["rar", "7z", "gz", "tgz", "bz2", "xz", "tar"];

/// As letras da página 850, a do MS-DOS em português, do byte 128 em diante: é como o Windows escreve os nomes em um
/// `.zip`.
const PAGINA_850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐\
    └┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// O que não é do programa, e não se copia.
const DE_OUTROS: [&str; 4] = ["__MACOSX", ".git", ".DS_Store", "__pycache__"];

/// Por que uma entrega não se abriu.
#[derive(Debug, Error)]
pub enum Recusa {
    /// Um pacote de outro tipo, e nada além dele.
    #[error(
        "'{0}' não é um .zip, e só .zip se abre aqui: extraia-o em uma pasta com o nome da pessoa"
    )]
    OutroPacote(String),
    /// O pacote está estragado, ou tem senha.
    #[error("'{0}' não se abre: {1}")]
    Estragado(String, String),
    /// Passa dos limites.
    #[error("a entrega passa de {} MB ou de {ARQUIVOS_MAXIMOS} arquivos e pastas", BYTES_MAXIMOS / 1024 / 1024)]
    Grande,
    /// O sistema não deixou.
    #[error("a entrega não se lê: {}", explicar(.0))]
    Sistema(#[from] io::Error),
}

impl Recusa {
    /// É a máquina que não deixou, e não o que se entregou?
    pub fn da_maquina(&self) -> bool {
        matches!(self, Recusa::Sistema(_))
    }
}

/// O que falta dos limites.
struct Folga {
    bytes: u64,
    arquivos: usize,
    recusados: Vec<String>,
}

impl Folga {
    fn mais_um(&mut self) -> Result<(), Recusa> {
        self.arquivos = self.arquivos.checked_sub(1).ok_or(Recusa::Grande)?;
        Ok(())
    }
}

/// Abre a entrega em `destino`, que existe e está vazio.
///
/// # Errors
///
/// Não há o que abrir, e por quê.
pub fn abrir(entrega: &Entrega, destino: &Path) -> Result<(), Recusa> {
    let mut folga =
        Folga { bytes: BYTES_MAXIMOS, arquivos: ARQUIVOS_MAXIMOS, recusados: Vec::new() };
    for caminho in &entrega.caminhos {
        if caminho.is_dir() {
            copiar_pasta(caminho, destino, 0, &mut folga)?;
        } else {
            let solto = nome_sem_o_moodle(caminho);
            por_arquivo(caminho, &destino.join(solto), 0, &mut folga)?;
        }
    }
    let vazia = fs::read_dir(destino)?.next().is_none();
    match folga.recusados.pop() {
        Some(pacote) if vazia => Err(Recusa::OutroPacote(pacote)),
        _ => Ok(()),
    }
}

/// `Rui Sá_9_assignsubmission_file_servidor.py` foi entregue como `servidor.py`.
fn nome_sem_o_moodle(caminho: &Path) -> PathBuf {
    let nome = caminho.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let dele = nome.split_once("_assignsubmission_").and_then(|(_, resto)| resto.split_once('_'));
    match dele {
        Some((_, arquivo)) if !arquivo.is_empty() => arquivo.into(),
        _ => nome.into(),
    }
}

fn copiar_pasta(de: &Path, para: &Path, nivel: usize, folga: &mut Folga) -> Result<(), Recusa> {
    criar(para, Path::new(""), folga)?;
    for entrada in fs::read_dir(de)? {
        let entrada = entrada?;
        let tipo = entrada.file_type()?;
        if DE_OUTROS.iter().any(|outro| entrada.file_name() == *outro) {
            continue;
        }
        let destino = para.join(entrada.file_name());
        // Um atalho poderia apontar para um arquivo do professor: fica de fora, como os dispositivos.
        let copiado = if tipo.is_dir() {
            copiar_pasta(&entrada.path(), &destino, nivel, folga)
        } else if tipo.is_file() {
            por_arquivo(&entrada.path(), &destino, nivel, folga)
        } else {
            Ok(())
        };
        com_lugar(copiado)?;
    }
    Ok(())
}

/// O que tem um nome que não cabe na cópia, ou o nome de um arquivo e de uma pasta, fica de fora, e o resto se avalia.
fn com_lugar(copiado: Result<(), Recusa>) -> Result<(), Recusa> {
    use io::ErrorKind::{AlreadyExists, InvalidFilename, IsADirectory, NotADirectory};
    match copiado {
        Err(Recusa::Sistema(erro))
            if matches!(
                erro.kind(),
                AlreadyExists | InvalidFilename | IsADirectory | NotADirectory
            ) =>
        {
            Ok(())
        }
        outro => outro,
    }
}

/// Cria a pasta, e cada uma do caminho até ela, que também contam.
fn criar(raiz: &Path, relativo: &Path, folga: &mut Folga) -> Result<(), Recusa> {
    let mut aqui = raiz.to_owned();
    for parte in std::iter::once(Path::new("")).chain(relativo.iter().map(Path::new)) {
        aqui.push(parte);
        if !aqui.is_dir() {
            folga.mais_um()?;
            fs::create_dir(&aqui)?;
        }
    }
    Ok(())
}

/// Um arquivo da entrega: copia-se, ou, se é um pacote, abre-se em uma pasta ao lado com o nome dele.
fn por_arquivo(de: &Path, para: &Path, nivel: usize, folga: &mut Folga) -> Result<(), Recusa> {
    let nome = de.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match extensao(de).as_str() {
        "zip" if nivel < PACOTES_ANINHADOS => {
            let pasta = para.with_extension("");
            return extrair(de, &pasta, &nome, nivel, folga);
        }
        outra if OUTROS_PACOTES.contains(&outra) => {
            folga.recusados.push(visivel(&nome));
            return Ok(());
        }
        _ => {}
    }
    let arquivo = File::open(de)?;
    let modo = arquivo.metadata()?.permissions();
    escrever(arquivo, para, folga)?;
    fs::set_permissions(para, modo)?;
    Ok(())
}

fn extrair(
    de: &Path,
    pasta: &Path,
    nome: &str,
    nivel: usize,
    folga: &mut Folga,
) -> Result<(), Recusa> {
    let estragado = |erro: &dyn std::fmt::Display| Recusa::Estragado(visivel(nome), por_que(erro));
    let mut zip = ZipArchive::new(File::open(de)?).map_err(|erro| estragado(&erro))?;
    criar(pasta, Path::new(""), folga)?;
    for indice in 0..zip.len() {
        let mut dentro = zip.by_index(indice).map_err(|erro| estragado(&erro))?;
        let Some(relativo) = sem_sair(&nome_no_pacote(dentro.name_raw())) else { continue };
        let de_outros = relativo.iter().any(|parte| DE_OUTROS.iter().any(|outro| parte == *outro));
        if de_outros || dentro.is_symlink() {
            continue;
        }
        if dentro.is_dir() {
            com_lugar(criar(pasta, &relativo, folga))?;
            continue;
        }
        let extraido = extrair_um(&mut dentro, pasta, &relativo, nivel, folga);
        com_lugar(extraido).map_err(|recusa| match recusa {
            Recusa::Sistema(erro) if erro.kind() == io::ErrorKind::InvalidData => estragado(&erro),
            outra => outra,
        })?;
    }
    Ok(())
}

/// O nome como quem o deu o vê: em UTF-8, também quando o pacote não o diz, como os do macOS; se não, na página 850.
fn nome_no_pacote(cru: &[u8]) -> String {
    let da_pagina = |byte: &u8| match byte {
        0..128 => char::from(*byte),
        _ => PAGINA_850.chars().nth(usize::from(*byte) - 128).unwrap_or('_'),
    };
    str::from_utf8(cru).map_or_else(|_| cru.iter().map(da_pagina).collect(), str::to_owned)
}

/// O caminho, a partir da pasta em que se extrai; um que sai dela, como `../../x`, não tem lugar aqui.
fn sem_sair(nome: &str) -> Option<PathBuf> {
    let mut caminho = PathBuf::new();
    for parte in nome.split(['/', '\\']) {
        match parte {
            "" | "." => {}
            ".." if caminho.pop() => {}
            ".." => return None,
            parte => caminho.push(parte),
        }
    }
    (!nome.contains('\0')).then_some(caminho)
}

fn extrair_um(
    dentro: impl Read,
    pasta: &Path,
    relativo: &Path,
    nivel: usize,
    folga: &mut Folga,
) -> Result<(), Recusa> {
    criar(pasta, relativo.parent().unwrap_or(Path::new("")), folga)?;
    let destino = pasta.join(relativo);
    escrever(dentro, &destino, folga)?;
    abrir_o_de_dentro(&destino, nivel + 1, folga)
}

/// Um pacote que estava dentro de outro: abre-se ao lado, e sai.
fn abrir_o_de_dentro(destino: &Path, nivel: usize, folga: &mut Folga) -> Result<(), Recusa> {
    if extensao(destino) == "zip" && nivel < PACOTES_ANINHADOS {
        por_arquivo(destino, destino, nivel, folga)?;
        fs::remove_file(destino)?;
    }
    Ok(())
}

fn escrever(de: impl Read, para: &Path, folga: &mut Folga) -> Result<(), Recusa> {
    folga.mais_um()?;
    // Um arquivo já ali seria de outro pacote com o mesmo nome: vale o primeiro.
    let mut arquivo = match File::create_new(para) {
        Ok(arquivo) => arquivo,
        Err(erro) if erro.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(erro) => return Err(erro.into()),
    };
    // Um a mais, para saber que passou: o tamanho que um pacote diz ter pode ser mentira.
    let escritos = io::copy(&mut de.take(folga.bytes + 1), &mut arquivo)?;
    folga.bytes = folga.bytes.checked_sub(escritos).ok_or(Recusa::Grande)?;
    Ok(arquivo.flush()?)
}

fn por_que(erro: &dyn std::fmt::Display) -> String {
    let dito = erro.to_string().to_lowercase();
    let diz = |palavra| dito.contains(palavra);
    let porque = if diz("password") || diz("encrypt") {
        "tem senha"
    } else if diz("compression method") {
        "usa uma compressão que não é a comum; extraia-o em uma pasta com o nome da pessoa"
    } else {
        "o pacote está estragado ou incompleto"
    };
    porque.into()
}

#[cfg(test)]
mod testes {
    use super::*;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    fn zip(arquivos: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (nome, bytes) in arquivos {
            zip.start_file(*nome, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn abrir_este(caminhos: Vec<PathBuf>) -> (tempfile::TempDir, Result<(), Recusa>) {
        let destino = tempfile::tempdir().unwrap();
        let entrega = Entrega { nome: "Ana".into(), id: None, apelido: "ana".into(), caminhos };
        let aberta = abrir(&entrega, destino.path());
        (destino, aberta)
    }

    #[test]
    fn um_zip_dentro_de_outro_tambem_se_abre() {
        let turma = tempfile::tempdir().unwrap();
        let dentro = zip(&[("src/servidor.py", b"listen")]);
        let caminho = turma.path().join("ana.zip");
        let fora = zip(&[("entrega.zip", &dentro), ("__MACOSX/._x", b"x"), ("LEIA.txt", b"oi")]);
        fs::write(&caminho, fora).unwrap();
        let (aberta, resultado) = abrir_este(vec![caminho]);
        resultado.unwrap();
        let la = |caminho: &str| aberta.path().join("ana").join(caminho);
        assert_eq!(fs::read(la("entrega/src/servidor.py")).unwrap(), b"listen");
        assert!(la("LEIA.txt").exists() && !la("entrega.zip").exists() && !la("__MACOSX").exists());
    }

    #[test]
    fn um_nome_que_sai_da_pasta_nao_se_extrai() {
        let turma = tempfile::tempdir().unwrap();
        let caminho = turma.path().join("ana.zip");
        fs::write(&caminho, zip(&[("../../fora.py", b"x"), ("dentro.py", b"x")])).unwrap();
        let (aberta, resultado) = abrir_este(vec![caminho]);
        resultado.unwrap();
        assert!(aberta.path().join("ana/dentro.py").exists());
        assert!(!aberta.path().join("../fora.py").exists());
        assert!(!aberta.path().join("fora.py").exists());
    }

    #[test]
    fn um_nome_com_acento_e_o_mesmo_venha_do_windows_do_macos_ou_do_linux() {
        assert_eq!(PAGINA_850.chars().count(), 128);
        for cru in ["Jo\u{e3}o/\u{e7}.py".as_bytes(), b"Jo\xc6o\\\x87.py"] {
            assert_eq!(sem_sair(&nome_no_pacote(cru)), Some("João/ç.py".into()));
        }
    }

    #[test]
    fn nenhum_nome_leva_a_outra_pasta() {
        for (nome, esperado) in [
            ("/etc/x.py", Some("etc/x.py")),
            ("C:\\x.py", Some("C:/x.py")),
            ("a/./../b.py", Some("b.py")),
            ("a/../../b.py", None),
            ("..\\b.py", None),
            ("a\0b", None),
        ] {
            assert_eq!(sem_sair(nome), esperado.map(PathBuf::from), "{nome:?}");
        }
    }

    #[test]
    fn um_atalho_para_um_arquivo_do_professor_nao_se_copia() {
        let turma = tempfile::tempdir().unwrap();
        fs::create_dir(turma.path().join("Ana")).unwrap();
        fs::write(turma.path().join("segredo"), "segredo").unwrap();
        std::os::unix::fs::symlink("../segredo", turma.path().join("Ana/atalho.py")).unwrap();
        fs::write(turma.path().join("Ana/servidor.py"), "x").unwrap();
        let (aberta, resultado) = abrir_este(vec![turma.path().join("Ana")]);
        resultado.unwrap();
        assert!(aberta.path().join("servidor.py").exists());
        assert!(!aberta.path().join("atalho.py").exists());
    }

    #[test]
    fn o_que_nao_se_abre_diz_por_que() {
        let turma = tempfile::tempdir().unwrap();
        let rar = turma.path().join("ana.rar");
        fs::write(&rar, "Rar!").unwrap();
        let dito = abrir_este(vec![rar]).1.unwrap_err().to_string();
        assert!(dito.contains("'ana.rar' não é um .zip"), "{dito}");
        let quebrado = turma.path().join("beto.zip");
        fs::write(&quebrado, &zip(&[("x.py", b"abc")])[..20]).unwrap();
        let dito = abrir_este(vec![quebrado]).1.unwrap_err().to_string();
        assert!(dito.contains("estragado ou incompleto"), "{dito}");
        let outro = turma.path().join("caio.zip");
        let mut bytes = zip(&[("x.py", b"abc")]);
        let indice = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        // O modo de comprimir, no começo do arquivo e no índice: LZMA.
        (bytes[8], bytes[indice + 10]) = (14, 14);
        fs::write(&outro, bytes).unwrap();
        let dito = abrir_este(vec![outro]).1.unwrap_err().to_string();
        assert!(dito.contains("compressão que não é a comum"), "{dito}");
    }

    #[test]
    fn um_nome_que_nao_tem_lugar_fica_de_fora_e_o_resto_se_abre() {
        let turma = tempfile::tempdir().unwrap();
        let caminho = turma.path().join("ana.zip");
        let comprido = format!("{}.py", "n".repeat(300));
        let fundo = format!("{}fim.py", "pasta-de-dentro/".repeat(400));
        let arquivos: [(&str, &[u8]); 5] =
            [(&comprido, b"x"), (&fundo, b"x"), ("a", b"x"), ("a/b.py", b"x"), ("s.py", b"x")];
        fs::write(&caminho, zip(&arquivos)).unwrap();
        let (aberta, resultado) = abrir_este(vec![caminho]);
        resultado.unwrap();
        assert!(aberta.path().join("ana/s.py").exists());
        assert!(aberta.path().join("ana/a").is_file());
    }

    #[test]
    fn um_pacote_so_de_pastas_tambem_tem_limite() {
        let turma = tempfile::tempdir().unwrap();
        let caminho = turma.path().join("pastas.zip");
        let fundos: Vec<String> = (0..4).map(|i| format!("{i}/{}x", "p/".repeat(5))).collect();
        let arquivos: Vec<(&str, &[u8])> = fundos.iter().map(|f| (&**f, &b"x"[..])).collect();
        fs::write(&caminho, zip(&arquivos)).unwrap();
        let destino = tempfile::tempdir().unwrap();
        let mut folga = Folga { bytes: 1024, arquivos: 10, recusados: Vec::new() };
        let recusa = por_arquivo(&caminho, &destino.path().join("b.zip"), 0, &mut folga);
        assert!(matches!(recusa, Err(Recusa::Grande)), "{recusa:?}");
    }

    #[test]
    fn um_pacote_que_cresce_demais_nao_se_extrai_inteiro() {
        let zeros = vec![0; 1024 * 1024];
        let turma = tempfile::tempdir().unwrap();
        let caminho = turma.path().join("bomba.zip");
        fs::write(&caminho, zip(&[("zeros", &zeros)])).unwrap();
        let destino = tempfile::tempdir().unwrap();
        let mut folga = Folga { bytes: 1024, arquivos: 10, recusados: Vec::new() };
        let recusa = por_arquivo(&caminho, &destino.path().join("b.zip"), 0, &mut folga);
        assert!(matches!(recusa, Err(Recusa::Grande)), "{recusa:?}");
        assert!(fs::metadata(destino.path().join("b/zeros")).unwrap().len() <= 1025);
    }
}
