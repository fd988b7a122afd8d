//! O livro: as vendas em um arquivo SQLite, firmes antes de serem anunciadas (`--livro`).
//!
//! O turno decide, o livro firma, e só então o turno responde. Todas as vendas de um turno são uma
//! transação: um só `fdatasync` para todas, e nenhum byte que dependa delas sai antes dele. Quem ouviu
//! "Compra realizada" está no arquivo, haja o que houver com o processo ou com a máquina.
//!
//! ```text
//!   vendas    numero, instante, endereco, restante                  uma linha por venda
//!   pedidos   pedido, venda                                         o id das vendas que foram com um PEDIDO
//!   recusas   numero, instante, pedido                              os PEDIDO que não acharam o que comprar
//!   estoque   numero, instante, tipo, unidades, depois_da_venda     o inicial e cada reposição
//! ```
//!
//! O arquivo se confere sozinho: as vendas se numeram de um em um, e o "restante" de cada uma é o que
//! tinha entrado no estoque até ali, menos o número dela.
//!
//! Quem o escreve é só o servidor que o tem aberto; outro programa que mude o arquivo, ou o troque, faz o
//! servidor parar, porque as contas já não seriam dele. O disco tem de ser local, e o sistema, Linux: é onde
//! a tranca, o `fdatasync` e o diretório foram postos à prova.
//!
//! O livro de um servidor aberto são três arquivos, o dele, o `-wal` e o `-shm`, e as últimas vendas estão no
//! segundo. Que não se separem sem que se saiba é com `vigia.rs`; que o segundo não cresça sem fim, nem pare
//! o laço ao passar para o primeiro, com `faxina.rs`.
//!
//! Aqui não há segunda tentativa. Depois de um `fdatasync` que falhou não se sabe o que ficou no
//! disco (fsync(2)), e quem insiste acaba confirmando o que não está lá: o programa termina, e a
//! próxima abertura lê a verdade. O laço espera o disco, uma vez por turno.

mod arquivo;
mod conferencia;
mod erro;
mod faxina;
mod formato;
mod vigia;

use std::fmt::{self, Write};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use protocolo::{Id, Resposta};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::estoque::{Estoque, Firme, Proposta, Situacao};
use crate::loja::Venda;

pub(crate) use arquivo::Leitura;
pub use conferencia::Andamento;
pub(crate) use conferencia::{Conferencia, conferir, tem_pedidos};
pub use erro::Erro;
use erro::Problema;
pub(crate) use erro::falta_wal;
use faxina::Faxina;
pub use formato::Contas;
use formato::{QUADROS_AO_FECHAR, RECUSAS_GUARDADAS, UNIDADES_MAXIMAS, agora, ao_lado};
use vigia::Vigia;

/// Um livro aberto para vender. Enquanto existe, nenhum outro servidor abre o mesmo arquivo.
#[derive(Debug)]
pub struct Livro {
    /// Antes de `banco`, que ao se fechar por último passa o WAL a limpo e o apaga.
    faxina: Faxina,
    banco: Connection,
    /// Depois de `banco`, porque segura descritores dos mesmos arquivos.
    vigia: Vigia,
    _tranca: File,
    caminho: PathBuf,
    contas: Contas,
}

impl Livro {
    /// Abre o livro, ou o cria com `estoque` unidades ([`protocolo::ESTOQUE_PADRAO`] se ninguém disse).
    ///
    /// # Errors
    ///
    /// Não é um livro, é de um formato mais novo, está danificado, não se pode escrever nele, outro
    /// servidor o tem aberto, ou foi criado com outro `estoque`. O arquivo fica como estava.
    pub fn abrir(caminho: &Path, estoque: Option<u64>) -> Result<Self, Erro> {
        Livro::abrir_dizendo(caminho, estoque, |_| {})
    }

    /// Como [`abrir`](Livro::abrir); se demora a conferir o livro, diz por onde anda a cada segundo.
    ///
    /// # Errors
    ///
    /// Os de [`abrir`](Livro::abrir).
    pub fn abrir_dizendo(
        caminho: &Path,
        estoque: Option<u64>,
        dizer: fn(Andamento),
    ) -> Result<Self, Erro> {
        let abrir = || {
            if estoque.is_some_and(|estoque| estoque > UNIDADES_MAXIMAS) {
                return Err(Problema::NaoCabe);
            }
            let (arquivo, tranca, de_verdade) = arquivo::trancar(caminho)?;
            let (banco, contas) = arquivo::preparar(&de_verdade, &arquivo, estoque, dizer)?;
            let arquivo = Arc::new(arquivo);
            let faxina = Faxina::nova(&de_verdade, Arc::clone(&arquivo))?;
            let vigia = Vigia::nova(&de_verdade, arquivo, contas.vendidas)?;
            let caminho = caminho.to_owned();
            Ok(Livro { faxina, banco, vigia, _tranca: tranca, caminho, contas })
        };
        abrir().map_err(|problema| Erro::novo(caminho, problema))
    }

    /// Acrescenta `unidades` ao estoque de um livro que já existe, e diz como ele ficou.
    ///
    /// # Errors
    ///
    /// Os de [`Livro::abrir`]; o livro não existe; ou a soma não cabe em um inteiro do SQLite.
    pub fn repor(caminho: &Path, unidades: u64) -> Result<Contas, Erro> {
        let com_o_caminho = |problema| Erro::novo(caminho, problema);
        // De quem não pode olhar não se diz que não existe.
        let arquivo = caminho.metadata().map_err(|erro| com_o_caminho(erro.into()))?;
        if arquivo.len() == 0 {
            return Err(com_o_caminho(Problema::NaoExiste));
        }
        let mut livro = Livro::abrir(caminho, None)?;
        if let Some(erro) = livro.nao_cabe(unidades) {
            return Err(erro);
        }
        livro.acrescentar(unidades)?;
        livro.fechar()
    }

    /// Por que não se podem acrescentar `unidades`, se não cabem. O livro continua como estava, e serve.
    pub fn nao_cabe(&self, unidades: u64) -> Option<Erro> {
        let total = self.contas.entradas().checked_add(unidades);
        let cabe = total.is_some_and(|total| total <= UNIDADES_MAXIMAS);
        (!cabe).then(|| Erro::novo(&self.caminho, Problema::NaoCabe))
    }

    /// Acrescenta ao estoque unidades que [cabem](Livro::nao_cabe), em uma transação. Quando volta, estão no disco.
    ///
    /// # Errors
    ///
    /// Os de [`Livro::firmar`], e com o mesmo remédio.
    pub fn acrescentar(&mut self, unidades: u64) -> Result<Contas, Erro> {
        self.entrar_no_estoque(unidades).map_err(|problema| self.parar(problema))?;
        Ok(self.contas)
    }

    /// Onde ele está, como o pediram.
    pub fn caminho(&self) -> &Path {
        &self.caminho
    }

    fn entrar_no_estoque(&mut self, unidades: u64) -> Result<(), Problema> {
        self.faxina.terminar(&self.banco, self.vigia.visto())?;
        let transacao = self.banco.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.vigia.conferir()?;
        transacao.execute(
            "INSERT INTO estoque (instante, tipo, unidades, depois_da_venda)
             VALUES (?1, 'reposicao', ?2, ?3)",
            params![agora(), unidades as i64, self.contas.vendidas as i64],
        )?;
        transacao.commit()?;
        self.contas.repostas += unidades;
        self.vigia.assinalar(self.contas.vendidas)
    }

    /// Firma estas vendas, em uma transação só. Quando volta, elas estão no disco.
    ///
    /// # Errors
    ///
    /// O disco encheu ou falhou, ou outro programa mexeu no arquivo. Não se sabe se as vendas ficaram
    /// ou não; nenhuma pode ser anunciada, e nada mais se vende com este livro aberto.
    pub fn firmar(&mut self, vendas: impl IntoIterator<Item = Venda>) -> Result<(), Erro> {
        self.gravar(vendas, &[]).map_err(|problema| self.parar(problema))
    }

    /// O que este livro diz de um pedido.
    fn procurar(&self, id: &Id) -> Result<Option<Resposta>, Problema> {
        let restante =
            "SELECT restante FROM pedidos JOIN vendas ON numero = venda WHERE pedido = ?1";
        let mut venda = self.banco.prepare_cached(restante)?;
        let restante = venda.query_row([id.texto()], |linha| linha.get::<_, i64>(0)).optional()?;
        if let Some(restante) = restante {
            // O que é negativo não passa pela conferência.
            return Ok(Some(Resposta::Compra { restante: restante.max(0) as u64 }));
        }
        let mut recusa = self.banco.prepare_cached("SELECT 1 FROM recusas WHERE pedido = ?1")?;
        Ok(recusa.exists([id.texto()])?.then_some(Resposta::Esgotado))
    }

    /// Fecha o livro, com tudo em um arquivo só, e diz como ele ficou. Um WAL grande fica ao lado dele
    /// ([`WalQueFicou`]): no disco já está, e passá-lo demoraria o que promete quem encerra.
    ///
    /// # Errors
    ///
    /// Outro programa mexeu no arquivo desde a última venda.
    pub fn fechar(mut self) -> Result<Contas, Erro> {
        self.vigia.conferir().map_err(|problema| self.parar(problema))?;
        if self.vigia.visto().faltam() > QUADROS_AO_FECHAR {
            self.deixar_o_wal();
        }
        Ok(self.contas)
    }

    /// Ao fechar, o WAL fica onde está.
    fn deixar_o_wal(&self) {
        // Se nem isto se consegue, não há mais o que fazer.
        let _ = self.banco.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }

    /// Alguma coisa falhou, e não se mexe mais em nada: ao fechar, o WAL fica onde está, que talvez seja o
    /// único lugar em que as últimas vendas ainda existem.
    fn parar(&mut self, problema: Problema) -> Erro {
        self.deixar_o_wal();
        Erro::novo(&self.caminho, problema)
    }

    /// Firma as vendas de um lote, e o que coube às compras dele que têm um id: o lugar de cada uma, e ele.
    fn gravar(
        &mut self,
        vendas: impl IntoIterator<Item = Venda>,
        numerados: &[(usize, Id)],
    ) -> Result<(), Problema> {
        self.faxina.terminar(&self.banco, self.vigia.visto())?;
        let transacao = self.banco.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.vigia.conferir()?;
        let guarda = self.faxina.segurar(self.vigia.visto())?;
        let agora = agora();
        let primeira = self.contas.vendidas + 1;
        {
            let mut linha =
                transacao.prepare_cached("INSERT INTO vendas VALUES (?1, ?2, ?3, ?4)")?;
            // O que não muda de uma venda para outra se liga uma vez só.
            linha.raw_bind_parameter(2, &agora)?;
            let mut endereco = String::new();
            for venda in vendas {
                self.contas.vendidas += 1;
                endereco.clear();
                // Escrever em memória não falha.
                let _ = write!(endereco, "{}", venda.endereco);
                linha.raw_bind_parameter(1, self.contas.vendidas as i64)?;
                linha.raw_bind_parameter(3, &endereco)?;
                linha.raw_bind_parameter(4, venda.restante as i64)?;
                linha.raw_execute()?;
            }
        }
        for (lugar, id) in numerados {
            let venda = primeira + *lugar as u64;
            if venda <= self.contas.vendidas {
                let linha = "INSERT INTO pedidos VALUES (?1, ?2)";
                transacao.prepare_cached(linha)?.execute(params![id.texto(), venda as i64])?;
                continue;
            }
            let linha = "INSERT INTO recusas (instante, pedido) VALUES (?1, ?2)";
            transacao.prepare_cached(linha)?.execute(params![agora, id.texto()])?;
            let antigas = transacao.last_insert_rowid() - RECUSAS_GUARDADAS as i64;
            let esquecer = "DELETE FROM recusas WHERE numero <= ?1";
            transacao.prepare_cached(esquecer)?.execute([antigas])?;
        }
        transacao.commit()?;
        self.vigia.assinalar(self.contas.vendidas)?;
        self.faxina.comecar(guarda);
        Ok(())
    }

    /// O que o livro diz do estoque, com as vendas já firmadas.
    pub fn contas(&self) -> Contas {
        self.contas
    }
}

/// Um turno é uma transação; um lote em que não se vende nada, nem se recusa um pedido numerado, não vai ao disco.
impl Estoque for Livro {
    type Pane = Erro;

    fn resposta_a(&mut self, id: &Id) -> Result<Option<Resposta>, Erro> {
        self.procurar(id).map_err(|problema| self.parar(problema))
    }

    fn propor(&mut self, proposta: Proposta<'_>) -> Result<Situacao, Erro> {
        let antes = proposta.a_venda;
        if proposta.numerados.is_empty() && (antes == 0 || proposta.compradores.is_empty()) {
            return Ok(Situacao::Firme(Firme { antes, quando: proposta.agora }));
        }
        self.gravar(proposta.vendas(antes), proposta.numerados)
            .map_err(|problema| self.parar(problema))?;
        Ok(Situacao::Firme(Firme { antes, quando: Instant::now() }))
    }
}

/// O WAL de um livro que se fechou, quando fica ao lado dele: os dois arquivos não se separam.
#[derive(Debug)]
pub struct WalQueFicou {
    wal: PathBuf,
    bytes: u64,
}

impl WalQueFicou {
    /// O WAL deste livro, se ficou.
    pub fn de(livro: &Path) -> Option<Self> {
        let wal = ao_lado(&livro.canonicalize().ok()?, "-wal");
        let bytes = wal.metadata().ok()?.len();
        (bytes > 0).then_some(WalQueFicou { wal, bytes })
    }
}

impl fmt::Display for WalQueFicou {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (wal, mib) = (self.wal.display(), self.bytes >> 20);
        if self.bytes > u64::from(QUADROS_AO_FECHAR) * 4096 {
            write!(
                f,
                "passar {mib} MiB para ele demoraria, e o {wal} ficou ao lado dele até a próxima abertura"
            )
        } else {
            write!(f, "outro programa ainda o lê, e o {wal} ficou ao lado dele")
        }
    }
}
