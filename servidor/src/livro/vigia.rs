//! A vigia: os arquivos do livro, vistos por fora do SQLite, a cada vez que se firma.
//!
//! **A marca.** Enquanto se vende, as últimas vendas estão só no `-wal`, e o arquivo do livro sozinho não o
//! diz. Por isso, antes de se anunciar uma venda, ele ganha uma marca, escrita *além* da última página: há
//! vendas no `-wal` que tem este sal. Nenhuma leitura pelo SQLite a vê, e uma cópia feita por ele
//! (`.backup`) não a leva. Quando tudo o que está no WAL passa para o arquivo, seja quem for que o faça, o
//! SQLite corta o arquivo depois da última página: a marca some exatamente quando deixa de ser verdade. Um
//! arquivo com a marca e sem o WAL dela foi separado dele, e não se abre.
//!
//! **O índice.** O `-shm` diz, nos primeiros bytes (walformat.html, do SQLite), quantas transações houve e
//! até onde vai o WAL. É como se sabe que outro programa escreveu, sem confundir isso com quem só passou o
//! WAL a limpo, o que `PRAGMA data_version` não distingue.
//!
//! Fechar um descritor de um arquivo solta as travas que o SQLite tem nele (fcntl(2)): os daqui só se fecham
//! depois da última conexão.

use std::fs::{File, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::erro::Problema;
use super::formato::ao_lado;
use crate::sistema;

/// O que diz o arquivo de um livro com vendas no WAL; quem o olhar com um editor também entende.
const MARCA_DO_WAL: &[u8; 16] = b"com vendas -wal\n";

/// A marca, o sal do WAL e quantas vendas havia.
const TAMANHO_DA_MARCA: u64 = 32;

/// A marca fica esta distância além da última página, para não ter de ir adiante a cada página nova: um
/// oitavo do que já há, entre estes limites. O vão não ocupa disco.
const VAO: (u64, u64) = (32 * 1024, 16 * 1024 * 1024);

/// O que o começo do `-shm` diz do WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Indice {
    /// Transações até aqui, de quem quer que seja.
    mudancas: u32,
    /// Bytes de uma página.
    pagina: u64,
    /// Páginas escritas no WAL.
    pub(super) quadros: u32,
    /// Páginas do livro.
    paginas: u64,
    /// Identifica o WAL.
    sal: [u8; 8],
    /// Quantos dos quadros já passaram para o arquivo.
    pub(super) passados: u32,
}

impl Indice {
    fn ler(indice: &File) -> Result<Self, Problema> {
        let mut bytes = [0; 100];
        sistema::ler_em(indice, &mut bytes, 0)?;
        // Estes inteiros são os da máquina; o sal está como no WAL.
        let inteiro = |posicao: usize| {
            let palavra = [0, 1, 2, 3].map(|i| bytes.get(posicao + i).copied().unwrap_or_default());
            u32::from_ne_bytes(palavra)
        };
        let mut sal = [0; 8];
        sal.copy_from_slice(&bytes[32..40]);
        // Na mesma palavra que o tamanho da página (dois bytes) estão outros dois sinais.
        let pagina = u16::from_ne_bytes([bytes[14], bytes[15]]);
        // 64 KiB não cabem em dois bytes: o SQLite os escreve como 1.
        let pagina = if pagina == 1 { 65_536 } else { u64::from(pagina) };
        Ok(Indice {
            mudancas: inteiro(8),
            pagina,
            quadros: inteiro(16),
            paginas: u64::from(inteiro(20)),
            sal,
            passados: inteiro(96),
        })
    }

    /// Bytes que o WAL tem de ter: um cabeçalho de 32, e 24 antes de cada página.
    pub(super) fn bytes_do_wal(self) -> u64 {
        32 + u64::from(self.quadros) * (24 + self.pagina)
    }

    /// Quadros que ainda não passaram para o arquivo.
    pub(super) fn faltam(self) -> u32 {
        self.quadros.saturating_sub(self.passados)
    }

    fn bytes_do_livro(self) -> u64 {
        self.paginas * self.pagina
    }
}

/// A vigia de um livro aberto para vender.
#[derive(Debug)]
pub(super) struct Vigia {
    /// O arquivo, o WAL e o índice: onde estão, e quais são (dispositivo e número).
    nomes: Vec<(PathBuf, (u64, u64))>,
    arquivo: Arc<File>,
    indice: File,
    /// Como o índice estava depois da nossa última transação.
    visto: Indice,
    /// O tamanho do arquivo, e se é o que ele tem com a marca.
    tamanho: u64,
    marcado: bool,
}

impl Vigia {
    /// Passa a vigiar o livro em que se acabou de fazer uma transação, e o marca.
    pub(super) fn nova(
        caminho: &Path,
        arquivo: Arc<File>,
        vendidas: u64,
    ) -> Result<Self, Problema> {
        let indice = File::open(ao_lado(caminho, "-shm"))?;
        let nomes = ["", "-wal", "-shm"].map(|sufixo| ao_lado(caminho, sufixo));
        let mut vigiados = Vec::new();
        for nome in nomes {
            let dele = nome.metadata()?;
            vigiados.push((nome, quem(&dele)));
        }
        let visto = Indice::ler(&indice)?;
        let mut vigia =
            Vigia { nomes: vigiados, arquivo, indice, visto, tamanho: 0, marcado: false };
        vigia.marcar(vendidas)?;
        Ok(vigia)
    }

    /// Como o WAL estava depois da nossa última transação.
    pub(super) fn visto(&self) -> Indice {
        self.visto
    }

    /// Com a trava de escrita na mão, e antes de escrever: ninguém mexeu?
    pub(super) fn conferir(&mut self) -> Result<(), Problema> {
        let agora = Indice::ler(&self.indice)?;
        if agora.mudancas != self.visto.mudancas {
            return Err(Problema::MudadoPorFora);
        }
        self.visto = agora;
        // Também antes de escrever: depois, um WAL encurtado já teria outra vez o tamanho certo.
        let tamanho = self.conferir_os_nomes()?;
        let tudo_passado = agora.faltam() == 0 && tamanho == agora.bytes_do_livro();
        self.conferir_a_marca(tamanho, tudo_passado)
    }

    /// Depois de uma transação, e antes de alguém saber dela: está onde se pensa que está, e o arquivo diz
    /// que é preciso o WAL para a ver.
    pub(super) fn assinalar(&mut self, vendidas: u64) -> Result<(), Problema> {
        let antes = self.visto;
        self.visto = Indice::ler(&self.indice)?;
        let tamanho = self.conferir_os_nomes()?;
        // Outro programa pode ter acabado de passar a limpo o que havia até esta transação.
        self.conferir_a_marca(tamanho, tamanho == antes.bytes_do_livro())?;
        if !self.marcado || self.tamanho < self.visto.bytes_do_livro() + TAMANHO_DA_MARCA {
            self.marcar(vendidas)?;
        }
        Ok(())
    }

    /// Os nomes são ainda os dos mesmos arquivos, e o WAL tem tudo o que se escreveu nele. Diz o tamanho do
    /// livro.
    fn conferir_os_nomes(&self) -> Result<u64, Problema> {
        let mut tamanhos = [0; 3];
        for ((nome, de_quem), tamanho) in self.nomes.iter().zip(&mut tamanhos) {
            match nome.metadata() {
                Ok(dele) if quem(&dele) == *de_quem => *tamanho = dele.len(),
                Err(erro) if erro.kind() != ErrorKind::NotFound => return Err(erro.into()),
                _ => return Err(Problema::Trocado),
            }
        }
        let [livro, wal, _] = tamanhos;
        // Um WAL recomeçado por outro programa não tem quadro nenhum, e pode estar vazio.
        if self.visto.quadros > 0 && wal < self.visto.bytes_do_wal() {
            return Err(Problema::Trocado);
        }
        Ok(livro)
    }

    /// O livro tem o tamanho que se deixou, ou só perdeu a marca porque tudo passou para ele.
    fn conferir_a_marca(&mut self, tamanho: u64, tudo_passado: bool) -> Result<(), Problema> {
        if tamanho != self.tamanho {
            if !tudo_passado {
                return Err(Problema::Trocado);
            }
            (self.tamanho, self.marcado) = (tamanho, false);
        }
        Ok(())
    }

    fn marcar(&mut self, vendidas: u64) -> Result<(), Problema> {
        let fim = self.visto.bytes_do_livro();
        let vao = (fim / 8).clamp(VAO.0, VAO.1);
        let posicao = fim + vao - vao % self.visto.pagina.max(1);
        let mut marca = [0; TAMANHO_DA_MARCA as usize];
        marca[..16].copy_from_slice(MARCA_DO_WAL);
        marca[16..24].copy_from_slice(&self.visto.sal);
        marca[24..].copy_from_slice(&vendidas.to_be_bytes());
        sistema::escrever_em(&self.arquivo, &marca, posicao)?;
        self.arquivo.sync_data()?;
        (self.tamanho, self.marcado) = (posicao + TAMANHO_DA_MARCA, true);
        Ok(())
    }
}

fn quem(arquivo: &Metadata) -> (u64, u64) {
    sistema::identidade(arquivo)
}

/// O que a marca diz, se o arquivo a tem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marca {
    sal: [u8; 8],
    /// Quantas vendas havia, pelo menos, no livro e no WAL.
    pub(super) vendidas: u64,
}

impl Marca {
    pub(super) fn ler(livro: &File) -> Result<Option<Self>, Problema> {
        let tamanho = livro.metadata()?.len();
        let Some(posicao) = tamanho.checked_sub(TAMANHO_DA_MARCA) else { return Ok(None) };
        let mut marca = [0; TAMANHO_DA_MARCA as usize];
        sistema::ler_em(livro, &mut marca, posicao)?;
        if !marca.starts_with(MARCA_DO_WAL) {
            return Ok(None);
        }
        let (mut sal, mut vendidas) = ([0; 8], [0; 8]);
        sal.copy_from_slice(&marca[16..24]);
        vendidas.copy_from_slice(&marca[24..]);
        Ok(Some(Marca { sal, vendidas: u64::from_be_bytes(vendidas) }))
    }

    /// Foi posta por causa deste WAL?
    pub(super) fn e_de(self, wal: &Path) -> bool {
        let mut sal = [0; 8];
        let lido = File::open(wal).and_then(|wal| sistema::ler_em(&wal, &mut sal, 16));
        lido.is_ok() && sal == self.sal
    }
}
