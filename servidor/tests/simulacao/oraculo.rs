//! O que o servidor deve fazer: uma segunda versão dele, minúscula e lenta, que só assiste.
//!
//! O oráculo recebe o diário de cada turno: quem o balcão leu, em que ordem e quanto; é a escolha
//! que o balcão tem o direito de fazer. Daí ele deduz tudo o que o balcão *não* escolhe: que
//! pedidos chegaram, o que a loja responde a cada um, os bytes exatos que cada cliente deve ouvir,
//! quem deve morrer e quando. E confere.
//!
//! **Os invariantes estão todos aqui**, em chamadas de [`exigir`] que levam o nome de cada um: os do
//! turno e da casa neste arquivo, os de uma conexão em `ficha.rs`. Só o que depende do futuro, o
//! sossego, é posto em cena por `mundo.rs`.
//!
//! A conta das vendas não precisa de conferência à parte: cada venda do oráculo desce o estoque em um,
//! o AVISO sai na que o zera, e cada byte que um cliente ouve é comparado com o que ele diz.
//!
//! Nada aqui é compartilhado com a produção além dos limites e dos prazos: o enquadramento vai de
//! byte em byte, a loja é um número, os textos estão por extenso.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use servidor::balcao::Contas;
use servidor::conexao::LEITURA_POR_TURNO;
use servidor::loja::Venda;

use crate::evento::{Bytes, Roteiro, Sinais};
use crate::ficha::{Ficha, PEDIDOS_POR_TURNO, Pedido, Vida};
use crate::fluxo::{Cano, Escrita, Gesto, Leitura, Rede};
use crate::livro_de_mentira::{LivroFalso, NaoFirmou};
use crate::mundo::{PESSOAS, endereco};
use crate::veredito::{Falha, Veredito, exigir, falha};

/// Estes o servidor guarda para si; aqui estão de novo, como promessa.
const TRABALHO_DO_TURNO: usize = 4 * 1024;
const CUSTO_DA_LEITURA: usize = 8;
const LOTADOS_AO_MESMO_TEMPO: usize = 64;
const RONDA: u64 = 1000;
const RONDA_MINIMA: u64 = 10;

const AVISO: &[u8] = b"AVISO: O estoque acabou de esgotar!\n";
const LOTADO: &[u8] = b"ERRO: Servidor lotado\n";
const LOTADO_PARA_O_IP: &[u8] = b"ERRO: Servidor lotado para o seu IP\n";

/// As etapas de um turno, na única ordem permitida. Um livro que falha é a última.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Etapa {
    Ler,
    Firmar,
    Responder,
    Enterrar,
}

/// O que o balcão mostra de si.
#[derive(Debug)]
pub struct Vitrine {
    pub contas: Contas,
    pub ativas: usize,
    pub vazio: bool,
    pub tem_trabalho: bool,
    pub estoque: u64,
    pub vendas: u64,
    pub recusas: u64,
    pub guardados: usize,
    /// Em milissegundos desde o começo.
    pub proximo_prazo: Option<u64>,
}

/// A segunda versão do servidor.
#[derive(Debug)]
pub struct Oraculo {
    /// Quem ainda não foi removido.
    fichas: Vec<Ficha>,
    estoque: u64,
    inicial: u64,
    recusas: u64,
    contas: Contas,
    limite: usize,
    /// Quantos de cada pessoa.
    de_cada_um: usize,
    ocioso: Option<u64>,
    proxima_ronda: u64,
    encerrando: bool,
    turno: u64,
    etapa: Etapa,
    lote: Vec<(usize, Pedido)>,
    /// O que se vendeu neste turno e o livro ainda não tem.
    por_firmar: Vec<Venda>,
    /// O mesmo, dos pedidos com id: o que coube a cada um.
    numerados_por_firmar: Vec<(String, Option<u64>)>,
    /// O que se respondeu a cada id, para sempre.
    respostas: HashMap<Vec<u8>, Vec<u8>>,
    /// O livro falhou neste turno.
    falhou: bool,
    /// Quanto o disco demorou neste turno, em milissegundos.
    demorou: u64,
    /// Quem tem o que ler, na ordem em que passou a ter; quantos destes são a vez deste turno, e quanto
    /// trabalho já se fez nele.
    fila: VecDeque<usize>,
    vez: usize,
    trabalho: usize,
}

impl Oraculo {
    pub fn novo(roteiro: &Roteiro) -> Self {
        Oraculo {
            fichas: Vec::new(),
            estoque: roteiro.estoque,
            inicial: roteiro.estoque,
            recusas: 0,
            contas: Contas::default(),
            limite: roteiro.conexoes,
            de_cada_um: roteiro.por_endereco.unwrap_or(usize::MAX),
            ocioso: roteiro.ocioso,
            proxima_ronda: 0,
            encerrando: false,
            turno: 0,
            etapa: Etapa::Ler,
            lote: Vec::new(),
            por_firmar: Vec::new(),
            numerados_por_firmar: Vec::new(),
            respostas: HashMap::new(),
            falhou: false,
            demorou: 0,
            fila: VecDeque::new(),
            vez: 0,
            trabalho: 0,
        }
    }

    /// Os nomes de quem ainda não foi removido, pela ordem de entrada.
    pub fn presentes(&self) -> impl Iterator<Item = usize> {
        self.fichas.iter().map(|ficha| ficha.nome)
    }

    pub fn encerrando(&self) -> bool {
        self.encerrando
    }

    fn ficha(&mut self, nome: usize) -> Option<&mut Ficha> {
        self.fichas.iter_mut().find(|ficha| ficha.nome == nome)
    }

    pub fn chave(&self, nome: usize) -> Option<usize> {
        self.fichas.iter().find(|ficha| ficha.nome == nome).map(|ficha| ficha.chave)
    }

    /// De quem é esta chave.
    pub fn dono(&self, chave: usize) -> Option<usize> {
        self.fichas.iter().find(|ficha| ficha.chave == chave).map(|ficha| ficha.nome)
    }

    fn ativas(&self) -> usize {
        self.fichas.iter().filter(|ficha| !ficha.recusada).count()
    }

    /// O que ouve quem não pode entrar: a casa está cheia, ou já há bastantes da mesma pessoa.
    fn recusa(&self, nome: usize) -> Option<&'static [u8]> {
        if self.ativas() >= self.limite {
            return Some(LOTADO);
        }
        let da_pessoa = |ficha: &&Ficha| !ficha.recusada && ficha.nome % PESSOAS == nome % PESSOAS;
        let ha = self.fichas.iter().filter(da_pessoa).count();
        (ha >= self.de_cada_um).then_some(LOTADO_PARA_O_IP)
    }

    // Fora do turno.

    pub fn entrou(&mut self, nome: usize, chave: usize, rede: &Rede, agora: u64) -> Veredito {
        exigir(
            self.fichas.iter().all(|ficha| ficha.chave != chave),
            "uma chave só troca de dono depois da remoção",
            || format!("{nome} recebeu a chave {chave}, que ainda tem dono"),
        )?;
        let recusa = self.recusa(nome);
        let lotados = self.fichas.len() - self.ativas();
        self.fichas.push(Ficha::nova(nome, chave, recusa, agora));
        if let Some(ouve) = recusa {
            match ouve == LOTADO {
                true => self.contas.lotadas += 1,
                false => self.contas.lotadas_para_o_ip += 1,
            }
            if lotados >= LOTADOS_AO_MESMO_TEMPO {
                return self.dispensou_na_porta(nome, ouve, rede);
            }
        } else {
            self.contas.conexoes += 1;
            self.contas.pico = self.contas.pico.max(self.ativas());
        }
        Self::exigir_que_nada_se_toque(rede, "entrar")
    }

    /// Sem lugar nem para esperar a explicação: ouve-a uma vez, e a conexão é largada.
    fn dispensou_na_porta(&mut self, nome: usize, ouve: &[u8], rede: &Rede) -> Veredito {
        let fala = |gesto: &Gesto| match gesto {
            Gesto::Escreveu { oferecidos, .. } => {
                ouve.ends_with(&rede.oferecidos[oferecidos.clone()])
            }
            Gesto::FechouEscrita { .. } | Gesto::Largou { .. } => true,
            _ => false,
        };
        let dito = matches!(rede.gestos.first(), Some(Gesto::Escreveu { .. }));
        let largado = matches!(rede.gestos.last(), Some(Gesto::Largou { nome: n }) if *n == nome);
        self.fichas.pop();
        exigir(
            dito && largado && rede.gestos.iter().all(fala),
            "os recusados têm um teto, e mesmo assim uma explicação",
            || format!("com {nome}, que não cabia, fez-se {:?}", rede.gestos),
        )
    }

    /// O que um evento disse, verdade ou não.
    pub fn marcou(&mut self, chave: usize, sinais: Sinais, rede: &Rede) -> Veredito {
        if let Some(ficha) = self.fichas.iter_mut().find(|ficha| ficha.chave == chave) {
            ficha.sabe.legivel |= sinais.legivel || sinais.secar;
            ficha.sabe.gravavel |= sinais.gravavel;
            ficha.sabe.secar |= sinais.secar;
            let nome = ficha.nome;
            self.enfileirar(nome);
        }
        Self::exigir_que_nada_se_toque(rede, "marcar")
    }

    pub fn encerrou(&mut self, rede: &mut Rede) -> Veredito {
        // Pedir de novo não dá prazo novo: o que vale é o que tinha chegado da primeira vez.
        let de_novo = std::mem::replace(&mut self.encerrando, true);
        for ficha in &mut self.fichas {
            ficha.sabe.legivel = true;
            ficha.sabe.secar = true;
            if let Some(cano) = rede.cano(ficha.nome) {
                cano.avisado(ficha.sabe);
                if !de_novo {
                    ficha.chegou_antes = cano.ida.len();
                }
            }
        }
        // O balcão anda pelo slab, e não por ordem de chegada.
        let mut todas: Vec<_> = self.fichas.iter().map(|ficha| (ficha.chave, ficha.nome)).collect();
        todas.sort_unstable();
        todas.into_iter().for_each(|(_, nome)| self.enfileirar(nome));
        Self::exigir_que_nada_se_toque(rede, "encerrar")
    }

    pub fn abandonou(&mut self, rede: &Rede) -> Veredito {
        let so_largou = rede.gestos.iter().all(|gesto| matches!(gesto, Gesto::Largou { .. }));
        exigir(
            so_largou && rede.gestos.len() == self.fichas.len(),
            "abandonar larga todas, sem tocar em nenhuma",
            || format!("havia {} conexões; fez-se {:?}", self.fichas.len(), rede.gestos),
        )?;
        self.fichas.clear();
        self.fila.clear();
        Ok(())
    }

    fn exigir_que_nada_se_toque(rede: &Rede, quem: &str) -> Veredito {
        exigir(rede.gestos.is_empty(), "só o turno toca nos fluxos", || {
            format!("{quem} fez {:?}", rede.gestos)
        })
    }

    // O turno.

    pub fn vai_girar(&mut self) {
        self.turno += 1;
        self.etapa = Etapa::Ler;
        (self.vez, self.trabalho) = (self.fila.len(), 0);
    }

    /// O turno acabou: refaz o que o balcão fez, na ordem em que fez, e confere. Diz quanto o disco
    /// demorou no meio dele.
    pub fn girou(
        &mut self,
        rede: &Rede,
        agora: u64,
        firmou: Result<(), NaoFirmou>,
    ) -> Result<u64, Box<Falha>> {
        self.demorou = 0;
        for gesto in &rede.gestos {
            exigir(!self.falhou, "depois que o livro falha nada mais acontece", || {
                format!("e fez-se {gesto:?}")
            })?;
            match gesto {
                Gesto::Firmou { vendas, numerados, firmou, demora } => {
                    self.chegar_a(Etapa::Firmar, agora)?;
                    self.firmou(vendas, numerados, *firmou)?;
                    self.demorou = *demora;
                }
                Gesto::Leu { nome, espaco, deu } => self.leu(*nome, *espaco, *deu, rede, agora)?,
                Gesto::Escreveu { nome, oferecidos, deu } => {
                    self.chegar_a(Etapa::Responder, agora)?;
                    let ditos = &rede.oferecidos[oferecidos.clone()];
                    self.escreveu(*nome, ditos, *deu, agora + self.demorou)?;
                }
                Gesto::FechouEscrita { nome } => {
                    self.chegar_a(Etapa::Responder, agora)?;
                    self.fechou_a_escrita(*nome, rede, agora + self.demorou)?;
                }
                Gesto::Largou { nome } => {
                    self.chegar_a(Etapa::Enterrar, agora)?;
                    self.largou(*nome)?;
                }
                Gesto::Abusou { nome, como } => {
                    falha("o que nenhum socket admite", format!("com {nome}: {como}"))?;
                }
            }
        }
        exigir(firmou.is_err() == self.falhou, "a falha do livro termina o turno", || {
            format!("o turno deu {firmou:?}")
        })?;
        if !self.falhou {
            self.chegar_a(Etapa::Enterrar, agora)?;
        }
        Ok(self.demorou)
    }

    /// O livro recebe, de uma vez, exatamente o que o turno vendeu.
    fn firmou(
        &mut self,
        vendas: &[Venda],
        numerados: &[(String, Option<u64>)],
        firmou: bool,
    ) -> Veredito {
        exigir(vendas == self.por_firmar, "o livro recebe cada venda do turno, uma vez", || {
            format!("devia receber {:?}, e recebeu {vendas:?}", self.por_firmar)
        })?;
        exigir(
            numerados == self.numerados_por_firmar,
            "o livro recebe cada pedido com id do turno, uma vez",
            || format!("devia receber {:?}, e recebeu {numerados:?}", self.numerados_por_firmar),
        )?;
        self.por_firmar.clear();
        self.numerados_por_firmar.clear();
        self.falhou = !firmou;
        Ok(())
    }

    /// O servidor caiu e abriu de novo, com o que este livro tem.
    pub fn caiu(&mut self, livro: &LivroFalso, agora: u64) {
        let estoque = livro.restantes();
        self.respostas = livro
            .numerados
            .iter()
            .map(|(id, sobrou)| {
                let um = &mut sobrou.map_or(0, |sobrou| sobrou + 1);
                (id.clone().into_bytes(), Pedido::Comprar.atender(um, &mut 0).into_owned())
            })
            .collect();
        self.fichas.clear();
        self.lote.clear();
        self.por_firmar.clear();
        self.numerados_por_firmar.clear();
        (self.inicial, self.estoque, self.recusas) = (estoque, estoque, 0);
        self.contas = Contas::default();
        self.proxima_ronda = agora;
        self.encerrando = false;
        self.falhou = false;
        self.fila.clear();
    }

    /// Entre uma etapa e a seguinte acontece o que não toca em fluxo: decidir e vigiar.
    fn chegar_a(&mut self, etapa: Etapa, agora: u64) -> Veredito {
        exigir(self.etapa <= etapa, "ler, firmar, responder, remover: nesta ordem", || {
            format!("voltou a {etapa:?} depois de {:?}", self.etapa)
        })?;
        if self.etapa == Etapa::Ler && etapa > Etapa::Ler {
            self.ate_a_vez_de(None, agora)?;
            self.decidir(agora);
        }
        exigir(
            etapa <= Etapa::Firmar
                || self.por_firmar.is_empty() && self.numerados_por_firmar.is_empty(),
            "nada se anuncia antes de estar firme",
            || {
                let numerados = &self.numerados_por_firmar;
                format!("chegou a {etapa:?} com {:?} e {numerados:?} por firmar", self.por_firmar)
            },
        )?;
        if self.etapa < Etapa::Responder && etapa >= Etapa::Responder {
            let firmes = agora + self.demorou;
            self.fichas.iter_mut().for_each(|ficha| ficha.dizer_a_ultima(firmes));
        }
        if self.etapa < Etapa::Enterrar && etapa == Etapa::Enterrar {
            self.concluir();
            self.vigiar(agora);
        }
        self.etapa = etapa;
        Ok(())
    }

    fn leu(
        &mut self,
        nome: usize,
        espaco: usize,
        deu: Leitura,
        rede: &Rede,
        agora: u64,
    ) -> Veredito {
        self.chegar_a(Etapa::Ler, agora)?;
        self.podia_ler(nome, espaco)?;
        self.ate_a_vez_de(Some(nome), agora)?;
        let turno = self.turno;
        let mut pedidos = Vec::new();
        let (Some(ficha), Some(Some(cano))) = (self.ficha(nome), rede.canos.get(nome)) else {
            return Ok(());
        };
        let lidos = match deu {
            Leitura::Bytes(lidos) => &cano.ida[cano.lido - lidos..cano.lido],
            _ => &[],
        };
        ficha.leitura = turno;
        ficha.leu(deu, lidos, agora, &mut |pedido| pedidos.push((nome, pedido)));
        self.trabalho += CUSTO_DA_LEITURA + pedidos.len();
        self.lote.append(&mut pedidos);
        self.passou_a_vez(nome);
        Ok(())
    }

    fn enfileirar(&mut self, nome: usize) {
        let tem = self.ficha(nome).is_some_and(|ficha| ficha.deve_ser_lida());
        if tem && !self.fila.contains(&nome) {
            self.fila.push_back(nome);
        }
    }

    /// O primeiro da fila já foi; se ainda tem o que ler, volta para o fim dela.
    fn passou_a_vez(&mut self, nome: usize) {
        self.fila.pop_front();
        self.vez -= 1;
        let encerrando = self.encerrando;
        if let Some(ficha) = self.ficha(nome) {
            let leu_tudo = !ficha.sabe.legivel && ficha.sobra.is_empty();
            if encerrando && ficha.vida == Vida::Atendida && ficha.se_le() && leu_tudo {
                ficha.vida = Vida::Dispensada;
            }
        }
        self.enfileirar(nome);
    }

    /// Passa pelos que estão na frente de `quem` (ou por todos os que têm a vez, se o balcão não lê mais
    /// ninguém): quem tem sobra é atendido dela, e quem já não tem o que ler sai da fila. Nenhum dos outros
    /// pode ser passado para trás.
    fn ate_a_vez_de(&mut self, quem: Option<usize>, agora: u64) -> Veredito {
        while self.vez > 0 && self.trabalho < TRABALHO_DO_TURNO {
            let nome = self.fila[0];
            let mut pedidos = Vec::new();
            if let Some(ficha) = self.ficha(nome)
                && ficha.deve_ser_lida()
            {
                if ficha.sobra.is_empty() {
                    return exigir(quem == Some(nome), "cada um é lido na sua vez", || {
                        format!("era a de {nome}, e leu {quem:?}")
                    });
                }
                ficha.servir(agora, &mut |pedido| pedidos.push((nome, pedido)));
                self.trabalho += CUSTO_DA_LEITURA + pedidos.len();
                self.lote.append(&mut pedidos);
            }
            self.passou_a_vez(nome);
        }
        exigir(quem.is_none(), "o trabalho de um turno tem teto", || {
            format!("leu {quem:?}, com {} feitos", self.trabalho)
        })
    }

    fn podia_ler(&mut self, nome: usize, espaco: usize) -> Veredito {
        let turno = self.turno;
        let Some(ficha) = self.ficha(nome) else {
            return falha(
                "uma conexão encerrada não se usa mais",
                format!("leu {nome}, que não está"),
            );
        };
        exigir(espaco <= LEITURA_POR_TURNO, "a leitura tem teto", || format!("{espaco} bytes"))?;
        exigir(ficha.leitura < turno, "uma leitura por turno", || format!("leu {nome} de novo"))?;
        exigir(ficha.vida != Vida::Encerrada, "uma conexão encerrada não se usa mais", || {
            format!("leu {nome}")
        })?;
        exigir(ficha.ouviu_tudo(), "não se lê de quem ainda tem o que ouvir", || {
            format!("leu {nome}, que esperava {}", Bytes(ficha.pendente()))
        })?;
        exigir(ficha.se_le(), "depois da última palavra não se lê", || {
            format!("leu {nome}, que estava {:?}", ficha.vida)
        })?;
        exigir(ficha.sabe.legivel, "só se lê quem um evento anunciou e não secou", || {
            format!("leu {nome} à toa")
        })
    }

    fn decidir(&mut self, agora: u64) {
        for (nome, pedido) in std::mem::take(&mut self.lote) {
            self.contas.pedidos += 1;
            let antes = self.estoque;
            let resposta = self.resposta_a(&pedido);
            if let Some(ficha) = self.ficha(nome) {
                ficha.dizer(agora, &resposta);
                if pedido.e_o_ultimo() && ficha.vida == Vida::Atendida {
                    ficha.vida = Vida::Despedida;
                }
            }
            if self.estoque < antes {
                self.por_firmar.push(Venda { endereco: endereco(nome), restante: self.estoque });
            }
            if antes > 0 && self.estoque == 0 {
                let ouvintes = self.fichas.iter_mut().filter(|ficha| ficha.ouve_avisos());
                ouvintes.for_each(|ficha| ficha.dizer(agora, AVISO));
            }
        }
    }

    /// Um id que já teve resposta tem a mesma.
    fn resposta_a(&mut self, pedido: &Pedido) -> Cow<'static, [u8]> {
        if let Pedido::Numerado(id) = pedido
            && let Some(resposta) = self.respostas.get(id)
        {
            return resposta.clone().into();
        }
        let antes = self.estoque;
        let resposta = pedido.atender(&mut self.estoque, &mut self.recusas);
        if let Pedido::Numerado(id) = pedido {
            let sobrou = (self.estoque < antes).then_some(self.estoque);
            let texto = String::from_utf8_lossy(id).into_owned();
            self.numerados_por_firmar.push((texto, sobrou));
            self.respostas.insert(id.clone(), resposta.to_vec());
        }
        resposta
    }

    fn escreveu(&mut self, nome: usize, oferecidos: &[u8], deu: Escrita, agora: u64) -> Veredito {
        let Some(ficha) = self.ficha(nome) else {
            return falha(
                "uma conexão encerrada não se usa mais",
                format!("escreveu a {nome}, que não está"),
            );
        };
        exigir(ficha.vida != Vida::Encerrada, "uma conexão encerrada não se usa mais", || {
            format!("escreveu a {nome}")
        })?;
        exigir(ficha.sabe.gravavel, "só se escreve a quem não travou", || {
            format!("escreveu a {nome} à toa")
        })?;
        exigir(oferecidos == ficha.pendente(), "cada um ouve o que pediu, na ordem", || {
            format!("{nome} devia ouvir {} e ouve {}", Bytes(ficha.pendente()), Bytes(oferecidos))
        })?;
        match deu {
            Escrita::Interrompida => {}
            Escrita::Cheio => ficha.sabe.gravavel = false,
            Escrita::Erro => ficha.vida = Vida::Encerrada,
            Escrita::Bytes(bytes) => ficha.ouviu(bytes, agora),
        }
        self.enfileirar(nome);
        Ok(())
    }

    fn fechou_a_escrita(&mut self, nome: usize, rede: &Rede, agora: u64) -> Veredito {
        let lido = rede.canos.get(nome).and_then(Option::as_ref).map_or(0, |cano| cano.lido);
        let Some(ficha) = self.ficha(nome) else {
            return falha(
                "uma conexão encerrada não se usa mais",
                format!("fechou a escrita de {nome}"),
            );
        };
        let cabia = matches!(ficha.vida, Vida::Despedida | Vida::Dispensada | Vida::Ociosa);
        exigir(
            cabia && ficha.ouviu_tudo(),
            "a escrita só fecha depois da última palavra",
            || format!("{nome} estava {:?} e esperava {}", ficha.vida, Bytes(ficha.pendente())),
        )?;
        exigir(
            ficha.vida != Vida::Dispensada || lido >= ficha.chegou_antes,
            "o que chegou antes de encerrar é lido antes da despedida",
            || format!("de {nome} só leu {lido} bytes, e tinham chegado {}", ficha.chegou_antes),
        )?;
        ficha.vida = Vida::Escoando { desde: agora };
        self.enfileirar(nome);
        Ok(())
    }

    /// Quem fechou o seu lado e ouviu tudo morre ao fim das escritas.
    fn concluir(&mut self) {
        for ficha in &mut self.fichas {
            if ficha.vida == Vida::Fechou && ficha.ouviu_tudo() {
                ficha.vida = Vida::Encerrada;
            }
        }
    }

    fn vigiar(&mut self, agora: u64) {
        if agora < self.proxima_ronda {
            return;
        }
        let passo = self.ocioso.map_or(RONDA, |ocioso| (ocioso / 4).clamp(RONDA_MINIMA, RONDA));
        self.proxima_ronda = agora + passo;
        for ficha in &mut self.fichas {
            ficha.vida = ficha.venceu(agora, self.ocioso).unwrap_or(ficha.vida);
        }
    }

    fn largou(&mut self, nome: usize) -> Veredito {
        let Some(i) = self.fichas.iter().position(|ficha| ficha.nome == nome) else {
            return falha(
                "uma conexão encerrada não se usa mais",
                format!("largou {nome} duas vezes"),
            );
        };
        let ficha = self.fichas.remove(i);
        exigir(!self.fila.contains(&nome), "quem tem a vez não é removido", || nome.to_string())?;
        exigir(ficha.vida == Vida::Encerrada, "só morre quem deve", || {
            format!("{nome} foi removido, e estava {:?}", ficha.vida)
        })
    }

    /// O que vale depois de todo turno. É a lista dos invariantes que se veem de fora.
    pub fn conferir_o_turno(&mut self, rede: &Rede, vitrine: &Vitrine) -> Veredito {
        self.fichas.iter().try_for_each(|ficha| ficha.conferir(rede))?;
        let encerrada = self.fichas.iter().find(|ficha| ficha.vida == Vida::Encerrada);
        exigir(
            vitrine.tem_trabalho || encerrada.is_none(),
            "as encerradas são removidas",
            || format!("ninguém acordará para remover {:?}", encerrada.map(|ficha| ficha.nome)),
        )?;
        self.conferir_a_vitrine(vitrine)
    }

    /// O que vale depois de todo turno e de toda entrada: a conta, e quando o laço pode dormir.
    pub fn conferir_a_vitrine(&self, vitrine: &Vitrine) -> Veredito {
        let tem_o_que_fazer = |ficha: &Ficha| {
            ficha.deve_ser_lida()
                || ficha.espera_a_ultima()
                || ficha.pode_ouvir() && ficha.sabe.gravavel && !ficha.ouviu_tudo()
        };
        let espera = self.fichas.iter().find(|ficha| tem_o_que_fazer(ficha));
        exigir(vitrine.tem_trabalho || espera.is_none(), "quem tem trabalho não dorme", || {
            format!("ninguém acordará para atender {:?}", espera.map(|ficha| ficha.nome))
        })?;
        let vendas = self.inicial - self.estoque;
        let loja = (self.estoque, vendas, self.recusas);
        exigir(
            loja == (vitrine.estoque, vitrine.vendas, vitrine.recusas),
            "vendido mais estoque é o inicial",
            || format!("devia ser (estoque, vendas, recusas) = {loja:?}; é {vitrine:?}"),
        )?;
        exigir(self.contas == vitrine.contas, "as contas fecham", || {
            format!("deviam ser {:?}; são {:?}", self.contas, vitrine.contas)
        })?;
        let presentes = (self.ativas(), self.fichas.is_empty());
        exigir(presentes == (vitrine.ativas, vitrine.vazio), "as contas fecham", || {
            format!("devia ser (ativas, vazio) = {presentes:?}; é {vitrine:?}")
        })?;
        self.conferir_o_que_se_guarda(vitrine.guardados)?;
        let prazo = (!self.fichas.is_empty()).then_some(self.proxima_ronda);
        exigir(prazo == vitrine.proximo_prazo, "o balcão sabe quando quer acordar", || {
            format!("devia ser {prazo:?}; é {:?}", vitrine.proximo_prazo)
        })
    }

    /// A conta da memória não esquece ninguém, e quem não espera nada não ocupa nada.
    fn conferir_o_que_se_guarda(&self, guardados: usize) -> Veredito {
        let ao_menos = self.fichas.iter().map(Ficha::guarda).sum::<usize>();
        let parada = |ficha: &Ficha| !ficha.deve_ser_lida() && ficha.vida != Vida::Encerrada;
        let ninguem = ao_menos == 0 && self.fichas.iter().all(parada);
        exigir(
            guardados >= ao_menos && !(ninguem && guardados > 0),
            "a conta da memória acompanha todas",
            || format!("diz que guarda {guardados} bytes, e são ao menos {ao_menos}"),
        )
    }

    // O sossego: sem mais faltas, e depois de bastantes turnos.

    /// Quantos turnos bastam para o balcão ficar sem nada a fazer, se nada mais acontecer: um por
    /// leitura cheia ou por sobra que haja pela frente, e alguns para o fim, a despedida e a remoção.
    pub fn turnos_ate_o_sossego(&self, rede: &Rede) -> usize {
        // O menor pedido tem dois bytes.
        let turnos = |ficha: &Ficha| {
            let por_ler = rede.canos[ficha.nome].as_ref().map_or(0, Cano::por_ler);
            por_ler / LEITURA_POR_TURNO + (por_ler + ficha.sobra.len()) / (2 * PEDIDOS_POR_TURNO)
        };
        8 + self.fichas.iter().map(turnos).sum::<usize>()
    }

    /// Sossegado, ninguém espera mais nada do balcão.
    pub fn conferir_o_sossego(&self, rede: &Rede) -> Veredito {
        let encerrando = self.encerrando;
        self.fichas.iter().try_for_each(|ficha| ficha.conferir_o_sossego(rede, encerrando))
    }
}
