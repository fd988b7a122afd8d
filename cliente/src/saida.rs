//! Os arquivos que o usuário pediu. São abertos antes de começar, para que um caminho errado não custe
//! uma simulação inteira, e só perdem o que tinham quando há o que escrever.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use protocolo::terminal::explicar;
use thiserror::Error;

/// Por que não se pode escrever onde se pediu.
#[derive(Debug, Error)]
pub enum Erro {
    /// O sistema não deixa.
    #[error("não posso escrever em '{}': {porque}; confira {opcao}", .caminho.display())]
    Recusado {
        /// O arquivo.
        caminho: PathBuf,
        /// O que o sistema disse.
        porque: String,
        /// A opção que o pediu.
        opcao: &'static str,
    },
    /// Duas opções pediram o mesmo arquivo.
    #[error("{uma} e {outra} pedem o mesmo arquivo, '{}'", .caminho.display())]
    MesmoArquivo {
        /// A primeira opção.
        uma: &'static str,
        /// A outra.
        outra: &'static str,
        /// O arquivo.
        caminho: PathBuf,
    },
}

/// Um arquivo pedido por uma opção, já aberto. Se não existia e nada se escreveu, some.
#[derive(Debug)]
pub struct Saida {
    opcao: &'static str,
    caminho: PathBuf,
    arquivo: File,
    novo: bool,
}

impl Saida {
    /// Abre o arquivo que `opcao` pediu, se pediu.
    ///
    /// # Errors
    ///
    /// Não deu para abri-lo; a linha diz qual, por quê e que opção conferir.
    pub fn abrir(opcao: &'static str, caminho: Option<&Path>) -> Result<Option<Self>, Erro> {
        let Some(caminho) = caminho else { return Ok(None) };
        let novo = !caminho.exists();
        match File::options().write(true).create(true).truncate(false).open(caminho) {
            Ok(arquivo) => Ok(Some(Saida { opcao, caminho: caminho.into(), arquivo, novo })),
            Err(erro) => Err(recusado(caminho, &erro, opcao)),
        }
    }

    /// Escreve o arquivo inteiro.
    ///
    /// # Errors
    ///
    /// Não deu para escrevê-lo; a linha diz qual, por quê e que opção conferir.
    pub fn escrever(mut self, texto: &str) -> Result<(), Erro> {
        self.esvaziar();
        let escrito = self.arquivo.write_all(texto.as_bytes());
        self.concluir(&escrito)
    }

    /// O arquivo, vazio, para quem escreve aos poucos.
    ///
    /// # Errors
    ///
    /// O sistema não deu outro descritor.
    pub fn arquivo(&mut self) -> Result<File, Erro> {
        self.esvaziar();
        let outro = self.arquivo.try_clone();
        outro.map_err(|erro| recusado(&self.caminho, &erro, self.opcao))
    }

    /// Como terminou quem escreveu aos poucos.
    ///
    /// # Errors
    ///
    /// O erro dele, explicado como os daqui.
    pub fn concluir(self, escrito: &io::Result<()>) -> Result<(), Erro> {
        escrito.as_ref().map_err(|erro| recusado(&self.caminho, erro, self.opcao)).copied()
    }

    fn esvaziar(&mut self) {
        self.novo = false;
        // Um dispositivo, como /dev/stdout, não se esvazia, e não precisa.
        let _ = self.arquivo.set_len(0);
    }
}

impl Drop for Saida {
    fn drop(&mut self) {
        if self.novo {
            // Ficaria um arquivo vazio no lugar de um relatório que não houve.
            let _ = fs::remove_file(&self.caminho);
        }
    }
}

/// Duas opções pediram o mesmo arquivo?
///
/// # Errors
///
/// Pediram; a linha diz quais.
pub fn distintas(pedidas: &[&Option<Saida>]) -> Result<(), Erro> {
    let pedidas: Vec<&Saida> = pedidas.iter().filter_map(|saida| saida.as_ref()).collect();
    for (indice, uma) in pedidas.iter().enumerate() {
        let regular = uma.arquivo.metadata().is_ok_and(|dados| dados.is_file());
        let mesmo = |outra: &&&Saida| {
            fs::canonicalize(&uma.caminho).ok() == fs::canonicalize(&outra.caminho).ok()
        };
        if let Some(outra) = pedidas[..indice].iter().find(mesmo).filter(|_| regular) {
            let (uma, outra, caminho) = (outra.opcao, uma.opcao, uma.caminho.clone());
            return Err(Erro::MesmoArquivo { uma, outra, caminho });
        }
    }
    Ok(())
}

fn recusado(caminho: &Path, erro: &io::Error, opcao: &'static str) -> Erro {
    Erro::Recusado { caminho: caminho.into(), porque: explicar(erro), opcao }
}
