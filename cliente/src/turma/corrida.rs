//! A corrida: avalia as entregas, várias ao mesmo tempo. Cada resultado se guarda assim que se tem: quem interrompe não o
//! perde, e quem repete só avalia o que mudou. Que a nota não dependa das que andam ao lado é com a
//! [`vez`](crate::avaliacao::vez).

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use protocolo::mensagem::visivel;
use protocolo::terminal::dizer;
use tempfile::TempDir;

use super::cela::{self, Cela};
use super::correcao::{DESFECHO, Isolamento, LAUDO_HTML, LAUDO_JSON, Ordem, OrdemEscrita, Regras};
use super::entregas::Entrega;
use super::ferramentas::Ferramentas;
use super::impressao::impressao;
use super::receita::{self, Mandado, Origem, Receita};
use super::resultado::{ClienteVisto, Desfecho, Resultado};
use super::{pacote, paginas};
use crate::avaliacao::boletim::nota;
use crate::avaliacao::provas::OUTRAS_PROVAS;
use crate::avaliacao::vez::ARQUIVOS;
use crate::conversa::parada::Parada;
use crate::opcoes::{CORRECAO, OpcoesDaTurma};
use crate::tempo::como_se_pede;

const ENTRE_OLHADAS: Duration = Duration::from_millis(50);

/// Quanto se repete de um comando que não se pode executar.
const COMANDO_DITO: usize = 200;

/// O que a corrida inteira tem em comum.
pub struct Corrida<'a> {
    pub(super) opcoes: &'a OpcoesDaTurma,
    regras: Regras,
    isolamento: Option<Isolamento>,
    pub(super) ferramentas: Ferramentas,
    pub(super) saida: &'a Path,
    pub(super) parada: &'a Parada,
    /// Este programa, onde a cela o possa ler; a pasta some com a corrida.
    programa: PathBuf,
    /// A pasta que diz de quem é a vez de ficar sozinho, que todas as celas leem.
    vez: PathBuf,
    _pasta: TempDir,
    pub(super) andamento: MultiProgress,
}

impl<'a> Corrida<'a> {
    /// Prepara a corrida.
    ///
    /// # Errors
    ///
    /// Não há onde pôr o programa.
    pub fn nova(
        opcoes: &'a OpcoesDaTurma,
        regras: Regras,
        isolamento: Option<Isolamento>,
        ferramentas: Ferramentas,
        saida: &'a Path,
        parada: &'a Parada,
    ) -> io::Result<Self> {
        let pasta = tempfile::tempdir()?;
        let programa = pasta.path().join("cliente");
        // Uma cópia: quem executa a cela pode não alcançar a pasta do original, e recompilar no meio não a troca.
        fs::copy(std::env::current_exe()?, &programa)?;
        let vez = pasta.path().join("vez");
        fs::create_dir(&vez)?;
        for nome in ARQUIVOS {
            fs::write(vez.join(nome), "")?;
        }
        cela::entregar_a_cela(pasta.path())?;
        let andamento = MultiProgress::new();
        Ok(Corrida {
            opcoes,
            regras,
            isolamento,
            ferramentas,
            saida,
            parada,
            programa,
            vez,
            _pasta: pasta,
            andamento,
        })
    }

    /// Avalia todas, tantas ao mesmo tempo quantas são as vagas. Interrompida, devolve as que já têm resultado.
    ///
    /// # Errors
    ///
    /// Um resultado não se pôde guardar.
    pub fn correr(&self, entregas: &[Entrega], vagas: usize) -> io::Result<Vec<Resultado>> {
        let todas = self.barra_de_todas(entregas.len());
        let mut resultados: Vec<Option<Resultado>> =
            entregas.iter().map(|e| self.guardado(e)).collect();
        let feitas = resultados.iter().flatten().count();
        todas.set_position(feitas as u64);
        if feitas > 0 {
            self.andamento
                .suspend(|| dizer(format_args!("{feitas} não mudaram, e não se avaliam de novo")));
        }
        let novas: VecDeque<usize> =
            (0..entregas.len()).filter(|i| resultados[*i].is_none()).collect();
        self.em_paralelo(entregas, novas, vagas, &todas, &mut resultados)?;
        todas.finish_and_clear();
        Ok(resultados.into_iter().flatten().collect())
    }

    fn em_paralelo(
        &self,
        entregas: &[Entrega],
        novas: VecDeque<usize>,
        vagas: usize,
        todas: &ProgressBar,
        resultados: &mut [Option<Resultado>],
    ) -> io::Result<()> {
        let fila = Mutex::new(novas);
        let prontos = Mutex::new(Vec::new());
        let trabalhar = || -> io::Result<()> {
            loop {
                let proxima = fila.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(indice) = proxima.filter(|_| !self.parada.pedida()) else { return Ok(()) };
                let Some(resultado) = self.corrigir(&entregas[indice])? else {
                    return Ok(());
                };
                self.contar(&resultado, todas);
                prontos.lock().unwrap_or_else(PoisonError::into_inner).push((indice, resultado));
            }
        };
        thread::scope(|escopo| {
            let abrir = |_| thread::Builder::new().spawn_scoped(escopo, trabalhar);
            // Se o sistema não dá todas as threads, menos entregas andam ao mesmo tempo; sem nenhuma, trabalha esta.
            let trabalhos: Vec<_> = (0..vagas).map(abrir).map_while(Result::ok).collect();
            if trabalhos.is_empty() {
                return trabalhar();
            }
            trabalhos.into_iter().try_for_each(|trabalho| trabalho.join().unwrap_or(Ok(())))
        })?;
        for (indice, resultado) in prontos.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resultados[indice] = Some(resultado);
        }
        Ok(())
    }

    fn barra_de_todas(&self, quantas: usize) -> ProgressBar {
        let barra = self.andamento.add(ProgressBar::new(quantas as u64));
        let modelo = "{wide_bar} {pos} de {len} entregas";
        if let Ok(estilo) = ProgressStyle::with_template(modelo) {
            barra.set_style(estilo);
        }
        barra.tick();
        barra
    }

    /// Diz o que se concluiu de uma entrega.
    fn contar(&self, resultado: &Resultado, todas: &ProgressBar) {
        todas.inc(1);
        let concluiu = match &resultado.desfecho {
            Desfecho::Avaliada(avaliada) => nota(avaliada.nota),
            Desfecho::NaoAbriu { motivo } => format!("não abre: {motivo}"),
            Desfecho::SemNota { motivo } => format!("sem nota: {motivo}"),
        };
        let abriu = match resultado.iniciar.as_str() {
            "" => String::new(),
            iniciar => format!(", {}", visivel(iniciar)),
        };
        let nome = visivel(&resultado.nome);
        let linha = format!("{nome}: {concluiu}  ({:.0} s{abriu})", resultado.segundos);
        self.andamento.suspend(|| dizer(linha));
    }

    /// O resultado de outra execução, se a entrega e as regras são as mesmas.
    fn guardado(&self, entrega: &Entrega) -> Option<Resultado> {
        if self.opcoes.de_novo {
            return None;
        }
        let resultado = self.registrado(entrega)?;
        let pagina = self.saida.join("alunos").join(format!("{}.html", entrega.apelido)).exists();
        // De quem ficou sem nota, quem lê a razão pode ter instalado o que faltava.
        let sem_nota = matches!(resultado.desfecho, Desfecho::SemNota { .. });
        let vale = pagina && !sem_nota && resultado.impressao == self.impressao(entrega)?;
        let impressao_do_cliente = self.impressao_do_cliente(entrega)?;
        vale.then_some(Resultado { pesos: self.regras.pesos, impressao_do_cliente, ..resultado })
    }

    /// O que se concluiu em outra execução, com estas regras ou outras.
    fn registrado(&self, entrega: &Entrega) -> Option<Resultado> {
        let texto = fs::read_to_string(self.registro(entrega)).ok()?;
        serde_json::from_str(&texto).ok()
    }

    /// Um cliente leva minutos a observar, e o que se viu dele não depende de quanto vale: se a entrega é a mesma, fica. O
    /// que não se viu se tenta outra vez, se a falta podia ser desta máquina ou se o servidor diz agora em que porta.
    fn manter_o_cliente(&self, entrega: &Entrega, resultado: &mut Resultado) {
        let Some(antes) = self.registrado(entrega).filter(|_| !self.opcoes.de_novo) else { return };
        let mesma = !antes.impressao_do_cliente.is_empty()
            && antes.impressao_do_cliente == resultado.impressao_do_cliente;
        let Some(visto) = antes.observado.filter(|_| mesma) else { return };
        let fica = match visto {
            ClienteVisto::Observado { .. } => true,
            ClienteVisto::NaoSeViu { da_entrega, .. } => {
                da_entrega && self.outra_porta(&resultado.desfecho).is_none()
            }
        };
        if fica {
            resultado.notas.extend(visto.sobre_a_porta());
            resultado.observado = Some(visto);
            resultado.cliente = antes.cliente;
        }
    }

    fn registro(&self, entrega: &Entrega) -> PathBuf {
        self.saida.join("registro").join(format!("{}.json", entrega.apelido))
    }

    /// O que muda se a entrega, o modo de avaliar ou este programa mudam; `None`, se a entrega não se lê.
    fn impressao(&self, entrega: &Entrega) -> Option<String> {
        let memoria = self.isolamento.as_ref().map(|isolamento| isolamento.memoria);
        let regras = serde_json::to_string(&self.regras).ok()?;
        impressao(entrega, &(env!("CARGO_PKG_VERSION"), &self.opcoes.iniciar, regras, memoria)).ok()
    }

    /// O mesmo, para o cliente: os pesos, as provas e o comando do servidor não mudam o que se vê dele.
    fn impressao_do_cliente(&self, entrega: &Entrega) -> Option<String> {
        let memoria = self.isolamento.as_ref().map(|isolamento| isolamento.memoria);
        let porta = self.regras.medida.porta;
        impressao(entrega, &(env!("CARGO_PKG_VERSION"), "cliente", porta, memoria)).ok()
    }

    /// Corrige uma entrega e guarda o resultado; `None` se foi interrompida.
    fn corrigir(&self, entrega: &Entrega) -> io::Result<Option<Resultado>> {
        if self.parada.pedida() {
            return Ok(None);
        }
        let inicio = Instant::now();
        let pasta = tempfile::tempdir()?;
        let [aberta, laudos] = ["entrega", "resultados"].map(|nome| pasta.path().join(nome));
        fs::create_dir(&aberta)?;
        fs::create_dir(&laudos)?;
        let mut resultado = Resultado {
            nome: entrega.nome.clone(),
            id: entrega.id.clone(),
            apelido: entrega.apelido.clone(),
            impressao: self.impressao(entrega).unwrap_or_default(),
            impressao_do_cliente: self.impressao_do_cliente(entrega).unwrap_or_default(),
            desfecho: Desfecho::SemNota { motivo: "não se chegou a avaliar".into() },
            iniciar: String::new(),
            preparar: None,
            origem: String::new(),
            servidor: String::new(),
            cliente: None,
            observado: None,
            pesos: self.regras.pesos,
            notas: Vec::new(),
            segundos: 0.0,
        };
        resultado.desfecho = match self.abrir(entrega, &aberta, &mut resultado) {
            Err(desfecho) => desfecho,
            Ok(receita) => {
                let ordem = self.ordem(entrega, &receita, &aberta, &laudos);
                cela::entregar_a_cela(pasta.path())?;
                match ordem.escrita() {
                    Err(motivo) => {
                        resultado.iniciar = resultado.iniciar.chars().take(COMANDO_DITO).collect();
                        nao_abriu(&motivo)
                    }
                    Ok(ordem) => match self.avaliar(&ordem, &aberta, &laudos)? {
                        Some(desfecho) => desfecho,
                        None => return Ok(None),
                    },
                }
            }
        };
        self.manter_o_cliente(entrega, &mut resultado);
        resultado.segundos = inicio.elapsed().as_secs_f64();
        self.guardar(entrega, &resultado, &laudos)?;
        Ok(Some(resultado))
    }

    /// Abre os pacotes e acha como se abre o servidor.
    fn abrir(
        &self,
        entrega: &Entrega,
        aberta: &Path,
        resultado: &mut Resultado,
    ) -> Result<Receita, Desfecho> {
        pacote::abrir(entrega, aberta).map_err(|recusa| match recusa.da_maquina() {
            true => Desfecho::SemNota { motivo: recusa.to_string() },
            false => nao_abriu(&recusa),
        })?;
        let mandado =
            Mandado { iniciar: self.opcoes.iniciar.clone(), porta: self.opcoes.medida.porta };
        let receita = receita::deduzir(aberta, &mandado).map_err(|erro| nao_abriu(&erro))?;
        resultado.iniciar.clone_from(&receita.iniciar);
        resultado.preparar.clone_from(&receita.preparar);
        resultado.servidor = receita.servidor.to_string_lossy().into_owned();
        resultado.cliente = receita.cliente.as_ref().map(|c| c.to_string_lossy().into_owned());
        resultado.origem = de_quem(receita.origem).into();
        resultado.notas.clone_from(&receita.notas);
        match self.ferramentas.falta(&receita) {
            Some(motivo) => Err(Desfecho::SemNota { motivo }),
            None => Ok(receita),
        }
    }

    /// O que se pede à correção desta entrega.
    pub(super) fn ordem(
        &self,
        entrega: &Entrega,
        receita: &Receita,
        aberta: &Path,
        laudos: &Path,
    ) -> Ordem {
        let isolada = self.isolamento.is_some();
        let mut notas = receita.notas.clone();
        let servidor = receita.servidor.display();
        notas.push(format!("o servidor é {servidor}, {}", de_quem(receita.origem)));
        Ordem {
            nome: entrega.nome.clone(),
            pasta: receita.pasta.clone(),
            fonte: receita.servidor.clone(),
            preparar: receita.preparar.clone(),
            iniciar: receita.iniciar.clone(),
            repetir: para_repetir(receita),
            notas,
            regras: self.regras.clone(),
            observar: None,
            cela: self.isolamento.clone(),
            trabalho: if isolada { cela::TRABALHO.into() } else { aberta.to_owned() },
            resultados: if isolada { cela::RESULTADOS.into() } else { laudos.to_owned() },
            vez: if isolada { cela::VEZ.into() } else { self.vez.clone() },
        }
    }

    /// Avalia o servidor; `None` se foi interrompida.
    fn avaliar(
        &self,
        ordem: &OrdemEscrita,
        aberta: &Path,
        laudos: &Path,
    ) -> io::Result<Option<Desfecho>> {
        let (fim, dito) = self.executar(ordem, aberta, laudos)?;
        Ok(match fim {
            Fim::Interrompida => None,
            Fim::PassouDoTempo => Some(Desfecho::SemNota {
                motivo: format!(
                    "a avaliação passou de {} e foi interrompida; avalie-a à parte, ou com --tempo-maximo maior",
                    como_se_pede(self.opcoes.tempo_maximo)
                ),
            }),
            Fim::Terminou => Some(ler_desfecho(laudos, &dito)),
        })
    }

    /// Executa a correção, isolada ou não, até o fim ou até o tempo máximo; devolve também o que ela disse por último.
    pub(super) fn executar(
        &self,
        ordem: &OrdemEscrita,
        aberta: &Path,
        laudos: &Path,
    ) -> io::Result<(Fim, String)> {
        let argumentos = [CORRECAO.into(), ordem.texto.as_str().into()];
        let mut comando = match &self.isolamento {
            Some(isolamento) => Cela {
                programa: &self.programa,
                entrega: aberta,
                resultados: laudos,
                vez: &self.vez,
                tambem: &isolamento.tambem,
                limites: isolamento.limites(),
            }
            .comando(&argumentos),
            None => {
                let mut comando = Command::new(&self.programa);
                comando.args(&argumentos).stdin(Stdio::null());
                comando
            }
        };
        // Outro grupo: o Ctrl-C é com a corrida, que encerra cada uma.
        comando.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut filho = comando.spawn()?;
        let barra = self.barra_de_uma(&ordem.nome);
        let (saida, erro) = (filho.stdout.take(), filho.stderr.take());
        let (terminou, dito) = thread::scope(|escopo| {
            let abertas =
                thread::Builder::new().spawn_scoped(escopo, || acompanhar(saida, &barra)).and_then(
                    |_| thread::Builder::new().spawn_scoped(escopo, || ultimas_palavras(erro)),
                );
            let dito = match abertas {
                Ok(dito) => dito,
                // Sem quem leia os canos, ela pararia no primeiro que enchesse.
                Err(sem_thread) => {
                    let _ = filho.kill().and_then(|()| filho.wait());
                    return (Err(sem_thread), String::new());
                }
            };
            let terminou = self.esperar(&mut filho);
            (terminou, dito.join().unwrap_or_default())
        });
        barra.finish_and_clear();
        Ok((terminou?, dito))
    }

    fn barra_de_uma(&self, nome: &str) -> ProgressBar {
        let provas = u64::from(self.opcoes.medida.rodadas) + OUTRAS_PROVAS;
        let barra = self.andamento.add(ProgressBar::new(provas));
        if let Ok(estilo) =
            ProgressStyle::with_template("{bar:20} {pos:>2} de {len}  {prefix}: {msg}")
        {
            barra.set_style(estilo);
        }
        barra.set_prefix(visivel(nome));
        barra.tick();
        barra
    }

    fn esperar(&self, filho: &mut Child) -> io::Result<Fim> {
        let limite = Instant::now() + self.opcoes.tempo_maximo;
        loop {
            if filho.try_wait()?.is_some() {
                return Ok(Fim::Terminou);
            }
            let fim = if self.parada.pedida() {
                Fim::Interrompida
            } else if Instant::now() > limite {
                Fim::PassouDoTempo
            } else {
                thread::sleep(ENTRE_OLHADAS);
                continue;
            };
            // Com ele acaba a cela inteira, que o sistema desfaz.
            filho.kill()?;
            filho.wait()?;
            return Ok(fim);
        }
    }

    /// Guarda o resultado, o laudo e a página: primeiro o que se lê, e por último o que diz que está pronto.
    fn guardar(&self, entrega: &Entrega, resultado: &Resultado, laudos: &Path) -> io::Result<()> {
        let alunos = self.saida.join("alunos");
        let [html, json] =
            ["html", "json"].map(|tipo| alunos.join(format!("{}.{tipo}", entrega.apelido)));
        if matches!(resultado.desfecho, Desfecho::Avaliada(_)) {
            fs::copy(laudos.join(LAUDO_HTML), html)?;
            fs::copy(laudos.join(LAUDO_JSON), json)?;
        } else {
            fs::write(html, paginas::sem_laudo(resultado))?;
            fs::write(json, paginas::sem_laudo_em_json(resultado))?;
        }
        self.registrar(entrega, resultado)
    }

    /// Guarda o que permite continuar, de uma vez só: quem interrompe não deixa metade.
    pub(super) fn registrar(&self, entrega: &Entrega, resultado: &Resultado) -> io::Result<()> {
        let texto = serde_json::to_string_pretty(resultado)?;
        let definitivo = self.registro(entrega);
        let provisorio = definitivo.with_extension("novo");
        fs::write(&provisorio, texto)?;
        fs::rename(provisorio, definitivo)
    }
}

/// Como a correção acabou.
pub(super) enum Fim {
    /// Até o fim.
    Terminou,
    /// Pelo professor.
    Interrompida,
    /// Pelo relógio.
    PassouDoTempo,
}

fn nao_abriu(porque: &dyn std::fmt::Display) -> Desfecho {
    Desfecho::NaoAbriu { motivo: porque.to_string() }
}

fn de_quem(origem: Origem) -> &'static str {
    match origem {
        Origem::Adivinhado => "adivinhado pelo que a entrega tem",
        Origem::DeTodos => "aberto com o --iniciar do professor",
        Origem::DaEntrega => "aberto com o comando de iniciar.txt",
    }
}

/// O que o aluno digita, na pasta do que entregou, para ver o mesmo.
fn para_repetir(receita: &Receita) -> String {
    let mut partes = Vec::new();
    if !receita.pasta.as_os_str().is_empty() {
        partes.push(format!("cd {}", shell_words::quote(&receita.pasta.to_string_lossy())));
    }
    partes.extend(receita.preparar.clone());
    partes.push(format!("cliente avaliar --iniciar {}", shell_words::quote(&receita.iniciar)));
    partes.join(" && ")
}

fn acompanhar(saida: Option<impl Read>, barra: &ProgressBar) {
    for linha in
        saida.map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok)
    {
        if let Some((prova, faz)) = linha.split_once(' ') {
            barra.set_position(prova.parse().unwrap_or_default());
            barra.set_message(visivel(faz));
            barra.tick();
        }
    }
}

/// A última linha que diz algo.
fn ultimas_palavras(erro: Option<impl Read>) -> String {
    let linhas =
        erro.map(BufReader::new).into_iter().flat_map(BufRead::lines).map_while(Result::ok);
    linhas
        .filter(|linha| !linha.trim().is_empty())
        .last()
        .map(|linha| visivel(&linha))
        .unwrap_or_default()
}

fn ler_desfecho(laudos: &Path, dito: &str) -> Desfecho {
    let lido = fs::read_to_string(laudos.join(DESFECHO)).ok();
    let desfecho = lido.and_then(|texto| serde_json::from_str(&texto).ok());
    desfecho.unwrap_or_else(|| {
        let porque = if dito.is_empty() { "não disse por quê" } else { dito };
        Desfecho::SemNota { motivo: format!("a avaliação parou no meio: {porque}") }
    })
}
