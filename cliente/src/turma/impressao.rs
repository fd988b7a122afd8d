//! A impressão de uma entrega: o que muda se ela muda. Quem repete só avalia as que têm outra.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::entregas::Entrega;
use super::pacote;

/// A impressão da entrega avaliada deste modo.
///
/// # Errors
///
/// A entrega não se lê.
pub fn impressao(entrega: &Entrega, modo: &impl Hash) -> io::Result<String> {
    let mut soma = DefaultHasher::new();
    modo.hash(&mut soma);
    (&entrega.nome, &entrega.id).hash(&mut soma);
    for caminho in &entrega.caminhos {
        somar(caminho, &mut soma)?;
    }
    Ok(format!("{:016x}", soma.finish()))
}

fn somar(caminho: &Path, soma: &mut DefaultHasher) -> io::Result<()> {
    caminho.file_name().hash(soma);
    if caminho.is_dir() {
        let mut dentro: Vec<PathBuf> =
            fs::read_dir(caminho)?.map(|entrada| Ok(entrada?.path())).collect::<io::Result<_>>()?;
        dentro.sort();
        return dentro.iter().filter(|c| !c.is_symlink()).try_for_each(|c| somar(c, soma));
    }
    let dados = fs::metadata(caminho)?;
    // Um cano ou um dispositivo não acaba de se ler, e não se copia.
    if !dados.is_file() {
        return Ok(());
    }
    dados.len().hash(soma);
    // O que passa disto se recusa ao abrir.
    let mut comeco = File::open(caminho)?.take(pacote::BYTES_MAXIMOS);
    let mut bloco = [0; 64 * 1024];
    loop {
        match comeco.read(&mut bloco)? {
            0 => return Ok(()),
            lidos => soma.write(bloco.get(..lidos).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use rustix::fs::{FileType, Mode, mknodat};

    fn soma_de(pasta: &Path) -> u64 {
        let mut soma = DefaultHasher::new();
        somar(pasta, &mut soma).unwrap();
        soma.finish()
    }

    #[test]
    fn um_cano_na_entrega_nao_prende_quem_ve_se_ela_mudou() {
        let pasta = tempfile::tempdir().unwrap();
        fs::write(pasta.path().join("servidor.py"), "listen").unwrap();
        let cano = pasta.path().join("cano.py");
        mknodat(rustix::fs::CWD, &cano, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let antes = soma_de(pasta.path());
        assert_eq!(antes, soma_de(pasta.path()));
        fs::write(pasta.path().join("servidor.py"), "listen()").unwrap();
        assert_ne!(antes, soma_de(pasta.path()));
    }
}
